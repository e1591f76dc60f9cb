"""A small world that a test tells as a story: records and effects are appended, cycles read them."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import EffectBatch, Gap, RecordBatch
from dupscope.model.finding import Finding
from dupscope.model.layer import Layer
from dupscope.model.position import Partition, PartitionTable, pack
from dupscope.model.replay import Replay
from dupscope.model.topology import Log, Sink, TagParts, Topology

NOW = 1_700_000_000_000
WINDOW = 1_000_000
MARGIN = 100_000
SETTINGS = LedgerSettings(WINDOW, MARGIN, memory_bytes=1 << 18)
NUMBERS = 3
"""Partitions of each log; slot = log * NUMBERS + partition number."""

SOURCE_LOG = Log("source", "a")
PAIR = Topology("pay", (SOURCE_LOG, Log("dr", "b", upstream=(0,))), (Sink("charger", (1,)),))
"""Source, one mirror, one sink that reads the mirror."""

FAILOVER = replace(PAIR, sinks=(Sink("charger", (0, 1)),))
CHAIN = Topology(
    "pay",
    (SOURCE_LOG, Log("dr", "b", upstream=(0,)), Log("far", "c", upstream=(1,))),
    (Sink("charger", (2,)),),
)
TIMELESS = replace(PAIR, logs=(SOURCE_LOG, Log("dr", "b", (0,), TagParts(timestamp=False))))
"""The mirror's destination stamps records itself: a tag has no time."""


ACTIVE = Topology(
    "pay",
    (SOURCE_LOG, Log("source", "b"), Log("to-b", "b", (0,)), Log("to-a", "a", (1,))),
    (Sink("at-a", (0, 3)), Sink("at-b", (1, 2))),
)
"""Two clusters that are both written to, each mirrored to the other."""

EXPECTING = replace(PAIR, sinks=(Sink("charger", (1,), expects=True),))
"""An effect of every business fact is expected."""

FAN_IN = Topology("pay", (SOURCE_LOG, Log("source", "b"), Log("all", "c", (0, 1))), (Sink("charger", (2,)),))
"""One mirrored topic for two sources."""


class Place(NamedTuple):
    """One record of the world."""

    log: int
    partition: int
    offset: int
    key: str
    at: int
    value: str

    @property
    def slot(self) -> int:
        return self.log * NUMBERS + self.partition

    @property
    def packed(self) -> int:
        return pack(self.slot, self.offset)


class Line(NamedTuple):
    """One line of an audit log."""

    key: str
    position: int
    at: int
    effect_id: int


def digest(text: str) -> int:
    return zlib.crc32(text.encode()) or 1


def content_of(key: str, value: str) -> int:
    return digest(key) << 32 | digest(value)


def partition_table(topology: Topology) -> PartitionTable:
    """Slots in the order that `Place.slot` expects."""
    table = PartitionTable()
    for index, log in enumerate(topology.logs):
        for number in range(NUMBERS):
            table.slot(Partition(index, log.cluster, f"id-{log.name}", log.name, "payments", number))
    return table


@dataclass
class _Tape:
    """One partition: what can be read of it, where its reader stands, its next offset."""

    records: list[Place] = field(default_factory=list)
    read: int = 0
    next_offset: int = 0
    held_back: int | None = None

    @property
    def readable(self) -> int:
        if self.held_back is None:
            return len(self.records)
        return sum(1 for record in self.records if record.offset < self.held_back)

    @property
    def position(self) -> int:
        if self.read == self.readable:
            return self.next_offset if self.held_back is None else self.held_back
        return self.records[self.read].offset


class Story:
    """Times are milliseconds after `NOW`. Results add up over all cycles, named by stage."""

    def __init__(self, topology: Topology = PAIR, settings: LedgerSettings = SETTINGS) -> None:
        self.topology = topology
        self.table = partition_table(topology)
        self.ledger = Ledger(topology, settings, self.table)
        self.covered_since: list[int | None] = [None] * len(topology.logs)
        self.begun = np.zeros(len(self.table), np.int64)
        self.truncated: frozenset[int] = frozenset()
        self.deleted: frozenset[int] = frozenset()
        self.enumerated_ms: int | None = None
        self.gaps: list[Gap] = []
        self.replays: tuple[Replay, ...] = ()
        self.redriven: set[Place] = set()
        self.intended: Counter[str] = Counter()
        self.committed = [np.zeros(len(self.table), np.int64) for _ in topology.sinks]
        self.settled: tuple[np.ndarray, ...] = ()
        self.settled_from = tuple(np.zeros(len(self.table), np.int64) for _ in topology.sinks)
        self.number = self.clock = 0
        self.findings: list[Finding] = []
        self.missing: Counter[str] = Counter()
        self.recovered: Counter[str] = Counter()
        self.extra_copies: Counter[str] = Counter()
        self.extra_effects: Counter[str] = Counter()
        self.unverified: Counter[str] = Counter()
        self.closed: list[dict[str, object]] = []
        self._tapes = [_Tape() for _ in range(len(self.table))]
        self._audit: list[list[Line]] = [[] for _ in topology.sinks]
        self._heard = [0 for _ in topology.sinks]

    # what happens

    def record(self, log: int, key: str, at: int = 0, value: str = "10 EUR", partition: int = 0) -> Place:
        tape = self._tapes[log * NUMBERS + partition]
        place = Place(log, partition, tape.next_offset, key, NOW + at, value)
        tape.records.append(place)
        tape.next_offset += 1
        return place

    def source(self, key: str = "p", at: int = 0, value: str = "10 EUR", partition: int = 0) -> Place:
        return self.record(0, key, at, value, partition)

    def mirror(self, key: str = "p", at: int = 0, value: str = "10 EUR", partition: int = 0) -> Place:
        """A record in the first mirror's log, whatever upstream holds."""
        return self.record(1, key, at, value, partition)

    def copied(self, place: Place, partition: int | None = None, log: int | None = None) -> Place:
        """A faithful copy one log further down."""
        number = place.partition if partition is None else partition
        target = place.log + 1 if log is None else log
        return self.record(target, place.key, place.at - NOW, place.value, number)

    def marker(self, log: int = 0, partition: int = 0) -> None:
        """A control record takes an offset and is never delivered."""
        self._tapes[log * NUMBERS + partition].next_offset += 1

    def hold_back(self, log: int = 0, partition: int = 0) -> None:
        """A transaction opens here and hangs: nothing behind it can be read."""
        tape = self._tapes[log * NUMBERS + partition]
        tape.held_back = tape.next_offset

    def release(self, log: int = 0, partition: int = 0) -> None:
        self._tapes[log * NUMBERS + partition].held_back = None

    def effect(
        self, place: Place | None, key: str | None = None, at: int = 50, effect_id: int = 0, sink: int = 0
    ) -> None:
        """The sink acts on a record, or on it does not say which."""
        named = key or (place.key if place else "p")
        self._audit[sink].append(Line(named, place.packed if place else 0, NOW + at, effect_id))

    def commits(self, place: Place, sink: int = 0) -> None:
        """The sink's group commits behind a record."""
        self.committed[sink][place.slot] = place.offset + 1

    def settle_commits(self) -> None:
        """The audit logs were read to their ends after the last commits were seen."""
        self.settled = tuple(column.copy() for column in self.committed)

    # what is read

    def cycle(
        self, *read: str, ends: dict[int, int] | None = None, later: int = 10, between: Place | None = None
    ) -> Outcome:
        """Read all of the stages named (of all, if none is), take end offsets if wanted, judge.

        `ends` replaces end offsets by slot. `between` is not read yet although it is appended.
        """
        self.number += 1
        self.clock += later
        records = [
            batch for log in range(len(self.topology.logs)) for batch in self._read(log, read, between)
        ]
        effects = [self._listen(sink) for sink, _ in self._chosen(self.topology.sinks, read)]
        cycle = Cycle(
            self.number, NOW + self.clock, self._progress(), records, effects, self.gaps, self.replays
        )
        self.gaps = []
        outcome = self.ledger.observe(cycle)
        high = np.array([tape.next_offset for tape in self._tapes], np.int64)
        for slot, offset in (ends or {}).items():
            high[slot] = offset
        self.ledger.conclude(cycle, high if self.ledger.wants_barrier else None, outcome)
        self._take(outcome)
        return outcome

    def rewind(self) -> None:
        """The tails begin again: every record is read once more."""
        for tape in self._tapes:
            tape.read = 0

    def settle(self, cycles: int = 8) -> Story:
        """Read everything until nothing is open."""
        for _ in range(cycles):
            self.cycle()
            if self.ledger.quiet:
                return self
        raise AssertionError(f"not quiet after {cycles} cycles: {self.ledger.suspects()}")

    @staticmethod
    def _chosen(stages, read):
        return [(i, stage) for i, stage in enumerate(stages) if not read or stage.name in read]

    def _read(self, log: int, read: tuple[str, ...], between: Place | None) -> list[RecordBatch]:
        if read and self.topology.logs[log].name not in read:
            return []
        batches = []
        for tape in self._tapes[log * NUMBERS : (log + 1) * NUMBERS]:
            stop = tape.readable
            if between in tape.records:
                stop = tape.records.index(between)
            if stop > tape.read:
                batches.append(record_batch(tape.records[tape.read : stop], self.redriven))
            tape.read = stop
        return batches

    def _listen(self, sink: int) -> EffectBatch:
        lines = self._audit[sink][self._heard[sink] :]
        self._heard[sink] = len(self._audit[sink])
        return effect_batch(sink, lines)

    def _progress(self) -> Progress:
        tapes = self._tapes
        return Progress(
            np.array([tape.position for tape in tapes], np.int64),
            np.array([tape.read == tape.readable for tape in tapes], np.bool_),
            list(range(len(tapes))),
            self.begun,
            tuple(self.covered_since),
            tuple(self.committed),
            self.truncated,
            self.deleted,
            enumerated_ms=self.enumerated_ms,
            settled=self.settled,
            settled_from=self.settled_from if self.settled else (),
        )

    def _take(self, outcome: Outcome) -> None:
        known = {finding.id for finding in self.findings}
        assert not known & {finding.id for finding in outcome.findings}, "published twice"
        self.findings += outcome.findings
        self.missing += outcome.missing
        self.recovered += outcome.recovered
        self.extra_copies += outcome.extra_copies
        for (stage, origin), count in outcome.extra_effects.items():
            self.extra_effects[f"{stage} {origin}"] += count
        for (_, stage, reason), count in outcome.unverified.items():
            self.unverified[f"{stage} {reason}"] += count
        for (layer, stage, reason), count in outcome.intended.items():
            self.intended[f"{layer} {stage} {reason}"] += count
        self.closed += outcome.closed

    # what was concluded

    @property
    def found(self) -> list[str]:
        """Findings as text: `dr[0]@1 identical`, or `charger dr[0]@0 #2` for an effect."""
        return sorted(as_text(finding) for finding in self.findings)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [*self.closed, *self.ledger.lines()]

    @property
    def balanced(self) -> bool:
        return not self.ledger.unbalanced

    def open(self, stage: str) -> int:
        """Open suspects of a stage."""
        return self.ledger.suspects()[self.stage(stage)]

    def stage(self, name: str) -> int:
        for index, log in enumerate(self.topology.logs):
            if log.name == name:
                return index
        return -1 - [sink.name for sink in self.topology.sinks].index(name)


def as_text(finding: Finding) -> str:
    if finding.layer is Layer.CONSUME:
        return f"{finding.stage} {finding.first} #{finding.ordinal}"
    return f"{finding.position} {finding.kind}"


def record_batch(places: list[Place], redriven: set[Place] = frozenset()) -> RecordBatch:
    return RecordBatch(
        places[0].log,
        np.array([place.packed for place in places], np.uint64),
        np.array([place.at for place in places], np.int64),
        np.array([digest(place.key) for place in places], np.uint64),
        np.array([digest(place.key[::-1] + "/") for place in places], np.uint64),
        np.array([content_of(place.key, place.value) for place in places], np.uint64),
        np.array([place in redriven for place in places], np.bool_) if redriven else None,
    )


def effect_batch(sink: int, lines: list[Line]) -> EffectBatch:
    return EffectBatch(
        sink,
        np.array([line.position for line in lines], np.uint64),
        np.array([line.at for line in lines], np.int64),
        np.array([digest(line.key) for line in lines], np.uint64),
        np.array([digest(line.key[::-1] + "/") for line in lines], np.uint64),
        np.array([line.effect_id for line in lines], np.uint32),
    )
