"""A reader that follows a growing world in cycles, as the program's loop does, and can be killed."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dupscope.ledger.case import Case
from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.ledger.state import LedgerState
from dupscope.model.batch import I64, EffectBatch, RecordBatch
from dupscope.model.finding import Finding
from dupscope.model.layer import Layer
from dupscope.model.plain import equal
from dupscope.model.position import Partition, PartitionTable, pack
from dupscope.store.entries import outcome_digest
from dupscope.store.frame import seal, unseal
from property.world import NOW_MS, WINDOW_MS, Tape, World
from support.brute import Copy, Effect, Found, Where

BLOCK_ROWS, FREED_ROWS = 4, 3
"""Few rows are stored or freed together, and one does not divide the other."""


def plain(tree: Any) -> Any:
    """A tree as it comes back from a store."""
    return unseal(seal(tree, "here"), "here")


def fingerprint(key: int, *, same_low: bool) -> tuple[int, int]:
    """Both halves of a key's fingerprint; keys can be made to share their low half."""
    return key + 1, 7 if same_low else 1000 - key


@dataclass
class Notes:
    """What was published: findings with the sequence number of the world at that time, and sums."""

    findings: list[tuple[int, Finding]] = field(default_factory=list)
    unverified: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    extra_effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    extra_copies: Counter[str] = field(default_factory=Counter)

    def take(self, outcome: Outcome, sequence: int) -> None:
        self.findings += [(sequence, finding) for finding in outcome.findings]
        self.unverified.update({(s, str(r)): n for (_, s, r), n in outcome.unverified.items()})
        self.missing.update(outcome.missing)
        self.recovered.update(outcome.recovered)
        self.extra_effects.update({(s, str(o)): n for (s, o), n in outcome.extra_effects.items()})
        self.extra_copies.update(outcome.extra_copies)
        counters = (outcome.unverified, outcome.missing, outcome.recovered)
        counters += (outcome.extra_effects, outcome.extra_copies)
        assert all(amount >= 0 for counter in counters for amount in counter.values())


@dataclass
class Group:
    """What is known of a sink's commits, by slot; `pending` with the lines that its audit log had then."""

    since: list[int]
    pending: tuple[list[int], int] | None = None
    settled: list[int] = field(default_factory=list)

    def heard(self, lines: int) -> None:
        """The audit log was read so far."""
        if self.pending is not None and lines >= self.pending[1]:
            self.settled, self.pending = self.pending[0], None

    def polled(self, passed: list[int], lines: int) -> None:
        """The group was asked, when the audit log was so long."""
        self.pending = self.pending or (passed, lines)


@dataclass
class State:
    """Everything that a commit holds."""

    ledger: Ledger
    notes: Notes
    number: int
    read: list[int]
    lines: list[int]
    positions: list[int]
    groups: list[Group]


@dataclass
class Kept:
    """What was stored: a checkpoint by blocks, the cycles since, and the rest as of the last commit."""

    small: dict[str, Any] = field(default_factory=dict)
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    held: range = range(0)
    journal: list[tuple[Cycle, I64 | None, int]] = field(default_factory=list)
    rest: tuple[Any, ...] = ()

    def take(self, state: LedgerState) -> None:
        """A checkpoint: blocks that changed replace older ones, what is not held any more goes."""
        self.small, self.held, self.journal = copy.deepcopy(state.small), state.held, []
        self.blocks = {**self.blocks, **copy.deepcopy(dict(state.blocks))}
        self.blocks = {block: self.blocks[block] for block in state.held}

    def ledger(self, fresh: Ledger) -> Ledger:
        """A ledger that goes on from here."""
        fresh.restore(copy.deepcopy(LedgerState(self.small, self.blocks, self.held)))
        for cycle, ends, digest in self.journal:
            outcome = fresh.observe(cycle)
            fresh.conclude(cycle, ends, outcome)
            assert outcome_digest(outcome) == digest, "replayed, a cycle comes out otherwise"
        return fresh


class Reader:
    """Reads a world, from the beginning or from now on."""

    def __init__(self, world: World) -> None:
        self.world = world
        scenario = world.scenario
        self.settings = LedgerSettings(
            WINDOW_MS,
            scenario.margin_ms,
            scenario.memory_bytes,
            block_rows=BLOCK_ROWS,
            freed_rows=FREED_ROWS,
        )
        self.table = PartitionTable()
        for slot in world.slots:
            cluster = world.topology.logs[slot.log].cluster
            self.table.slot(Partition(slot.log, cluster, f"id{slot.log}", f"t{slot.log}", "t", slot.number))
        self.covered_since = self._start_times()
        read = [self._first_since(slot.log, slot.records) for slot in world.slots]
        self.begun = [self._offset(index, count) for index, count in enumerate(read)]
        self.state = State(
            self._fresh(),
            Notes(),
            0,
            list(read),
            [0] * len(world.audit),
            list(self.begun),
            [Group(world.passed(sink, world.sequence)) for sink in range(len(world.audit))],
        )
        self.taken_up: list[Case] = []
        self.cycles: list[tuple[Cycle, I64 | None, int]] = []
        self.kept = Kept()
        self.keep()

    @property
    def ledger(self) -> Ledger:
        return self.state.ledger

    @property
    def notes(self) -> Notes:
        return self.state.notes

    def found(self) -> dict[Found, str]:
        """Everything published so far, with its kind. An id published twice is an error."""
        result: dict[Found, str] = {}
        ids: set[str] = set()
        for _, finding in self.notes.findings:
            assert finding.id not in ids, f"published twice: {finding}"
            ids.add(finding.id)
            result[self.as_found(finding)] = str(finding.kind)
        return result

    def as_found(self, finding: Finding) -> Found:
        position = finding.first if finding.layer is Layer.CONSUME else finding.position
        assert position is not None
        where = Where(int(position.topic[1:]), position.partition, position.offset)
        return Found(finding.stage, where, finding.ordinal)

    def as_acted(self, finding: Finding) -> Found:
        """A repeat by the position that was acted on."""
        position = finding.position
        assert position is not None
        where = Where(int(position.topic[1:]), position.partition, position.offset)
        return Found(finding.stage, where, finding.ordinal)

    # cycles

    def cycle(self, tape: Tape, *, everything: bool = False, grow: bool = True) -> None:
        """Read, take end offsets, judge. The world may grow between any two of these."""
        state, world = self.state, self.world
        state.number += 1
        records = self._read_logs(tape, everything=everything)
        effects = self._read_audits(tape, everything=everything)
        self._poll(tape, everything=everything)
        cycle = Cycle(state.number, self._now_ms(), self._progress(), records, effects)
        outcome = state.ledger.observe(cycle)
        state.ledger.intake.touched.update(self.taken_up)
        state.ledger.intake.suspicious |= bool(self.taken_up)
        self.taken_up = []
        if grow and tape.one_in(3):
            world.step(tape)
        ends = self._ends(tape, grow=grow) if state.ledger.wants_barrier else None
        state.ledger.conclude(cycle, ends, outcome)
        self.cycles.append((cycle, ends, outcome_digest(outcome)))
        state.notes.take(outcome, world.sequence)

    def finish(self, cycles: int = 12) -> bool:
        """Read to the end of a world that stands still. True if quiet was reached in time."""
        tape = Tape(b"")
        for _ in range(cycles):
            self.cycle(tape, everything=True, grow=False)
            if self.ledger.quiet and self._at_end() and self._all_settled():
                return True
        return False

    def take_up(self) -> None:
        """Make every row of the norm a case that waits to be judged."""
        held, number = self.ledger.held, self.state.number + 1
        slots = held.rows.live()
        slots = slots[held.rows.state[slots] == 0]
        if len(slots):
            low = held.rows.fingerprints_low(slots).tolist()
            for slot, fp_lo in zip(slots.tolist(), low, strict=True):
                self.taken_up.append(held.book.open(slot, (int(held.rows.fp_hi[slot]), fp_lo), number))

    def keep(self) -> None:
        """Commit: every third time a checkpoint, else the cycles since the commit before."""
        state = self.state
        if state.number % 3 == 0 or not self.kept.small:
            self.kept.take(state.ledger.export(whole=not self.kept.small))
        else:
            self.kept.journal += self.cycles
        self.cycles = []
        rest = state.notes, state.number, state.read, state.lines, state.positions, state.groups
        self.kept.rest = copy.deepcopy(rest)
        self.check_kept()

    def check_kept(self) -> None:
        """What was stored is what there is."""
        restored = self.kept.ledger(self._fresh())
        assert _derived(restored) == _derived(self.ledger)
        stored = restored.export(whole=True)
        held = copy.deepcopy(self.ledger).export(whole=True)  # an export uses up the marks of what changed
        assert stored.held == held.held
        assert equal(plain(stored.small), plain(held.small))
        assert equal(plain(dict(stored.blocks)), plain(dict(held.blocks)))

    def kill(self) -> None:
        """Go on from the commit that was kept: what was read since will be read again."""
        self.state = State(self.kept.ledger(self._fresh()), *copy.deepcopy(self.kept.rest))
        self.cycles = []

    def resize(self, memory_bytes: int) -> None:
        """Start again with other memory. Nothing that was stored before fits it."""
        self.kill()
        whole = copy.deepcopy(self.ledger.export(whole=True))
        self.settings = replace(self.settings, memory_bytes=memory_bytes)
        self.state.ledger = self._fresh()
        self.state.ledger.restore(whole)
        self.kept = Kept()
        self.keep()

    def _fresh(self) -> Ledger:
        return Ledger(self.world.topology, self.settings, self.table)

    def _now_ms(self) -> int:
        """The world's clock leaps in event time alone, unless barriers are meant to grow old."""
        return self.world.clock_ms if self.world.scenario.real_clock else NOW_MS + 10 * self.state.number

    # where to begin

    def _start_times(self) -> tuple[int | None, ...]:
        world = self.world
        if not world.scenario.late_start:
            return (None,) * len(world.topology.logs)
        deepest = max(world.topology.depth(log) for log in range(len(world.topology.logs)))
        margin = world.scenario.margin_ms
        return tuple(
            world.clock_ms - (1 + deepest - world.topology.depth(log)) * margin
            for log in range(len(world.topology.logs))
        )

    def _first_since(self, log: int, records: list[tuple[int, Copy]]) -> int:
        """The index of the first record not earlier than the start, as Kafka finds offsets by time."""
        start = self.covered_since[log]
        if start is None:
            return 0
        late = [index for index, (_, record) in enumerate(records) if record.timestamp >= start]
        return late[0] if late else len(records)

    # reading

    def _offset(self, index: int, count: int) -> int:
        records = self.world.slots[index].records
        return records[count - 1][1].where.offset + 1 if count else 0

    def _at_end(self) -> bool:
        slots = self.world.slots
        return all(n == slot.readable for n, slot in zip(self.state.read, slots, strict=True)) and all(
            n == len(lines) for n, lines in zip(self.state.lines, self.world.audit, strict=True)
        )

    def _read_logs(self, tape: Tape, *, everything: bool) -> list[RecordBatch]:
        """Partitions in any order; each one in the order of its log, as every reader of Kafka gets it."""
        batches = []
        for index, slot in enumerate(self.world.slots):
            start, stop = self.state.read[index], slot.readable
            if not everything:
                stop = start + _some(stop - start, tape)
            self.state.read[index] = stop
            if stop == slot.readable:
                self.state.positions[index] = slot.stable_end
            elif stop > start:
                self.state.positions[index] = slot.records[stop - 1][1].where.offset + 1
            copies = [record for _, record in slot.records[start:stop]]
            cut = tape.below(len(copies) + 1) if not everything else 0
            batches.append([self._records(slot.log, part) for part in (copies[:cut], copies[cut:]) if part])
        if not everything and tape.one_in(2):
            batches.reverse()
        return [batch for parts in batches for batch in parts]

    def _read_audits(self, tape: Tape, *, everything: bool) -> list[EffectBatch]:
        batches = []
        for sink, lines in enumerate(self.world.audit):
            start, stop = self.state.lines[sink], len(lines)
            if not everything:
                stop = start + _some(stop - start, tape)
            self.state.lines[sink] = stop
            if stop > start:
                batches.append(self._effects(sink, [effect for _, effect in lines[start:stop]]))
        return batches

    def _all_settled(self) -> bool:
        sequence = self.world.sequence
        passed = [self.world.passed(sink, sequence) for sink in range(len(self.world.audit))]
        return [group.settled for group in self.state.groups] == passed

    def _poll(self, tape: Tape, *, everything: bool) -> None:
        """Ask the groups now and then, after the audit logs were read."""
        for sink, group in enumerate(self.state.groups):
            group.heard(self.state.lines[sink])
            if everything or tape.one_in(2):
                group.polled(self.world.passed(sink, self.world.sequence), len(self.world.audit[sink]))

    def _progress(self) -> Progress:
        world = self.world
        settled = [np.array(group.settled, np.int64) for group in self.state.groups]
        since = [np.array(group.since if group.settled else [], np.int64) for group in self.state.groups]
        at_end = [
            position == slot.stable_end
            for position, slot in zip(self.state.positions, world.slots, strict=True)
        ]
        return Progress(
            np.array(self.state.positions, np.int64),
            np.array(at_end, np.bool_),
            list(range(len(world.slots))),
            np.array(self.begun, np.int64),
            self.covered_since,
            tuple(np.array(world.committed(sink), np.int64) for sink in range(len(world.audit))),
            settled=tuple(settled),
            settled_from=tuple(since),
        )

    def _ends(self, tape: Tape, *, grow: bool) -> I64:
        ends = np.zeros(len(self.world.slots), np.int64)
        for log in self.world.topology.downstream_first():
            if grow and tape.one_in(4):
                self.world.step(tape)
            for index, slot in enumerate(self.world.slots):
                if slot.log == log:
                    ends[index] = slot.next_offset
        return ends

    # columns

    def _fingerprints(self, keys: list[int]) -> tuple[list[int], list[int]]:
        both = [fingerprint(key, same_low=self.world.scenario.same_low) for key in keys]
        return [hi for hi, _ in both], [lo for _, lo in both]

    def _pack(self, where: Where) -> int:
        return pack(where.log * self.world.scenario.partitions + where.partition, where.offset)

    def _records(self, log: int, copies: list[Copy]) -> RecordBatch:
        high, low = self._fingerprints([record.key for record in copies])
        return RecordBatch(
            log,
            np.array([self._pack(record.where) for record in copies], np.uint64),
            np.array([record.timestamp for record in copies], np.int64),
            np.array(high, np.uint64),
            np.array(low, np.uint64),
            np.array([record.content for record in copies], np.uint64),
        )

    def _effects(self, sink: int, effects: list[Effect]) -> EffectBatch:
        high, low = self._fingerprints([effect.key for effect in effects])
        return EffectBatch(
            sink,
            np.array([self._pack(e.where) if e.where else 0 for e in effects], np.uint64),
            np.array([effect.at for effect in effects], np.int64),
            np.array(high, np.uint64),
            np.array(low, np.uint64),
            np.array([effect.effect_id for effect in effects], np.uint32),
        )


def _some(available: int, tape: Tape) -> int:
    """All, nothing, one, or half of what is there."""
    return (available, 0, min(1, available), available // 2)[tape.below(4)]


def _derived(ledger: Ledger) -> tuple[Any, ...]:
    """What is not stored but follows from it: cases in their order, their bytes and suspects."""
    book = ledger.held.book
    return list(book.cases), book.nbytes, +book.suspects, ledger.suspects(), ledger.held.rows.limit
