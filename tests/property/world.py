"""A world of logs and audit files that grows at random, and remembers when each thing was appended."""

from __future__ import annotations

from dataclasses import dataclass, field

from dupscope.model.topology import Topology
from support.brute import Copy, Effect, Where

NOW_MS = 1_700_000_000_000
WINDOW_MS = 1_000_000
KEY_DIGEST = 1 << 40


class Tape:
    """Random choices out of bytes; when they run out every choice is 0."""

    def __init__(self, choices: bytes) -> None:
        self._choices = choices
        self._next = 0

    @property
    def over(self) -> bool:
        return self._next >= len(self._choices)

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, `limit` at most 256."""
        if self.over:
            return 0
        self._next += 1
        return self._choices[self._next - 1] % limit

    def one_in(self, chances: int) -> bool:
        return self.below(chances) == chances - 1


@dataclass
class Slot:
    """One partition: records with their sequence numbers; offsets jump where markers lie.

    `open_from` is the index of the first record of a transaction that hangs, None for none.
    """

    log: int
    number: int
    records: list[tuple[int, Copy]] = field(default_factory=list)
    next_offset: int = 0
    open_from: int | None = None

    @property
    def readable(self) -> int:
        """How many records a read-committed reader can see."""
        return len(self.records) if self.open_from is None else self.open_from

    @property
    def stable_end(self) -> int:
        """The offset at which a read-committed reader stands at the end."""
        if self.open_from is None:
            return self.next_offset
        return self.records[self.open_from][1].where.offset


@dataclass(frozen=True)
class Scenario:
    """What may happen besides repeats, rewinds, drops and lags.

    crossing      mirrors deliver to other partition numbers at times
    garbling      mirrors change a record's time or value at times
    transactions  source transactions hang, then end either way
    leaps         time passes by half a window or more at once
    same_low      all keys share the low half of their fingerprint
    real_clock    the reader's clock is the world's: barriers grow old, and with `margin_ms` copies expire
    late_start    reading begins somewhere in the logs, upstream earlier by the margin
    memory_bytes  little of it makes keys be given up
    resized       the reader starts again with half or twice as much memory at times
    """

    keys: int = 3
    partitions: int = 2
    disorder_ms: int = 50
    crossing: bool = False
    garbling: bool = False
    transactions: bool = False
    positionless: bool = False
    odd_effects: bool = True
    leaps: bool = True
    same_low: bool = False
    real_clock: bool = False
    late_start: bool = False
    memory_bytes: int = 1 << 18
    resized: bool = False
    margin_ms: int = 1_000_000_000


class World:
    """Grows by one thing at a time. `clock_ms` and `sequence` only rise.

    `commits` are the sinks' own: (sequence, sink, slot, offset).
    """

    def __init__(self, topology: Topology, scenario: Scenario) -> None:
        self.topology = topology
        self.scenario = scenario
        self.clock_ms = NOW_MS
        self.sequence = 0
        self.slots = [
            Slot(log, number) for log in range(len(topology.logs)) for number in range(scenario.partitions)
        ]
        self.audit: list[list[tuple[int, Effect]]] = [[] for _ in topology.sinks]
        self._mirrored = {
            (mirror, log, number): 0
            for mirror in topology.mirrors
            for log in topology.logs[mirror].upstream
            for number in range(scenario.partitions)
        }
        self._acted: dict[tuple[int, int], int] = {}
        self.commits: list[tuple[int, int, int, int]] = []
        self._effects = 0

    def slot(self, log: int, number: int) -> Slot:
        return self.slots[log * self.scenario.partitions + number]

    def copies(self, until: int | None = None) -> list[Copy]:
        """Records appended so far, or up to a sequence number."""
        return [
            copy
            for slot in self.slots
            for sequence, copy in slot.records
            if until is None or sequence <= until
        ]

    def effects(self, until: int | None = None) -> list[Effect]:
        """Effects in the order of their audit logs."""
        return [
            effect for lines in self.audit for sequence, effect in lines if until is None or sequence <= until
        ]

    def committed(self, sink: int) -> list[int]:
        """By slot: one more than the last offset that a sink acted on or skipped."""
        result = []
        for index, slot in enumerate(self.slots):
            done = self._acted.get((sink, index), 0)
            result.append(slot.records[done - 1][1].where.offset + 1 if done else 0)
        return result

    def passed(self, sink: int, until: int) -> list[int]:
        """By slot: the farthest that a sink had committed up to a sequence number."""
        result = [0] * len(self.slots)
        for sequence, one, slot, offset in self.commits:
            if one == sink and sequence <= until:
                result[slot] = max(result[slot], offset)
        return result

    # growing

    def step(self, tape: Tape) -> None:
        """One thing happens."""
        self.sequence += 1
        self.clock_ms += tape.below(8)
        actions = [self._produce, self._mirror, self._act, self._mirror, self._act, self._rare]
        actions[tape.below(len(actions))](tape)

    def settle(self) -> None:
        """Transactions end."""
        self.sequence += 1
        for slot in self.slots:
            self._end_transaction(slot, abort=False)

    def _append(self, slot: Slot, key: int, timestamp: int, content: int) -> None:
        where = Where(slot.log, slot.number, slot.next_offset)
        slot.next_offset += 1
        slot.records.append((self.sequence, Copy(where, timestamp, key, content)))

    def _produce(self, tape: Tape) -> None:
        source = tape.below(len(self.topology.sources)) if len(self.topology.sources) > 1 else 0
        recent = [c for slot in self.slots if self.topology.is_source(slot.log) for _, c in slot.records]
        if recent and tape.one_in(4):
            last = max(recent, key=lambda copy: copy.timestamp)
            number = tape.below(self.scenario.partitions)
            self._append(self.slot(source, number), last.key, last.timestamp, last.content)
            return
        key = tape.below(self.scenario.keys)
        payload = 1 + tape.below(3)
        number = key % self.scenario.partitions
        if tape.one_in(5):
            number = tape.below(self.scenario.partitions)
        timestamp = self.clock_ms - tape.below(self.scenario.disorder_ms)
        self._append(self.slot(source, number), key, timestamp, (key + 1) * KEY_DIGEST + payload)

    def _mirror(self, tape: Tape) -> None:
        if not self.topology.mirrors:
            return
        mirror = self.topology.mirrors[tape.below(len(self.topology.mirrors))]
        number = tape.below(self.scenario.partitions)
        logs = self.topology.logs[mirror].upstream
        log = logs[tape.below(len(logs))] if len(logs) > 1 else logs[0]
        upstream = self.slot(log, number)
        cursor = self._mirrored[mirror, log, number]
        how = tape.below(16)
        if how == 15:
            self._mirrored[mirror, log, number] = max(0, cursor - 1 - tape.below(3))
            return
        for _ in range(1 + tape.below(3)):
            if cursor >= len(upstream.records):
                break
            if how != 14:
                self._deliver(upstream.records[cursor][1], mirror, tape, garbled=how == 13)
            cursor += 1
        self._mirrored[mirror, log, number] = cursor

    def _deliver(self, copy: Copy, mirror: int, tape: Tape, *, garbled: bool) -> None:
        number, timestamp, content = copy.where.partition, copy.timestamp, copy.content
        if self.scenario.crossing and tape.one_in(3):
            number = tape.below(self.scenario.partitions)
        if self.scenario.garbling and garbled:
            content += 7 if tape.one_in(2) else 0
            timestamp += 1 + tape.below(5)
        if not self.topology.logs[mirror].tag.timestamp:
            timestamp = self.clock_ms
        self._append(self.slot(mirror, number), copy.key, timestamp, content)

    def _act(self, tape: Tape) -> None:
        if not self.topology.sinks:
            return
        sink = tape.below(len(self.topology.sinks))
        reads = self.topology.sinks[sink].reads
        log = reads[tape.below(len(reads))]
        index = log * self.scenario.partitions + tape.below(self.scenario.partitions)
        slot, cursor = self.slots[index], self._acted.get((sink, index), 0)
        how = tape.below(16)
        if how == 15:
            self._acted[sink, index] = max(0, cursor - 1 - tape.below(3))
        elif cursor < slot.readable:
            self._acted[sink, index] = cursor + 1
            self.commits.append((self.sequence, sink, index, slot.records[cursor][1].where.offset + 1))
            if how != 14:
                self._log_effect(sink, slot.records[cursor][1], tape, twice=how == 13)

    def _log_effect(self, sink: int, copy: Copy, tape: Tape, *, twice: bool) -> None:
        self._effects += 1
        where = None if self.scenario.positionless else copy.where
        effect_id = self._effects if tape.one_in(2) else 0
        effect = Effect(sink, where, self.clock_ms, copy.key, effect_id)
        self.audit[sink] += [(self.sequence, effect)] * (1 + twice)

    # rare things

    def _rare(self, tape: Tape) -> None:
        actions = [self._gap, self._odd_effect, self._leap, self._transaction]
        actions[tape.below(len(actions))](tape)

    def _gap(self, tape: Tape) -> None:
        slot = self.slots[tape.below(len(self.slots))]
        slot.next_offset += 1 + tape.below(2)

    def _odd_effect(self, tape: Tape) -> None:
        """An effect at a position that has no record, or one of another key."""
        if not self.scenario.odd_effects or not self.topology.sinks or self.scenario.positionless:
            return
        sink = tape.below(len(self.topology.sinks))
        log = self.topology.sinks[sink].reads[0]
        slot = self.slot(log, tape.below(self.scenario.partitions))
        visible = slot.records[: slot.readable]
        if visible:
            copy = visible[tape.below(len(visible))][1]
            key = tape.below(self.scenario.keys)
            effect = Effect(sink, copy.where, self.clock_ms, key, 0)
            self.audit[sink].append((self.sequence, effect))

    def _leap(self, tape: Tape) -> None:
        """Time passes: half a window, or more than a window."""
        if self.scenario.leaps:
            self.clock_ms += [WINDOW_MS // 2, WINDOW_MS + 100][tape.below(2)]

    def _transaction(self, tape: Tape) -> None:
        if not self.scenario.transactions:
            return
        slot = self.slots[tape.below(len(self.slots))]
        if slot.open_from is not None:
            self._end_transaction(slot, abort=tape.one_in(2))
        elif slot.records and self.topology.is_source(slot.log):
            slot.open_from = len(slot.records)
            key = tape.below(self.scenario.keys)
            self._append(slot, key, self.clock_ms, (key + 1) * KEY_DIGEST + 1)

    def _end_transaction(self, slot: Slot, *, abort: bool) -> None:
        if slot.open_from is None:
            return
        index, slot.open_from = slot.open_from, None
        slot.next_offset += 1
        if abort:
            del slot.records[index]
