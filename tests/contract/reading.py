"""Reading a tail to an end, in tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dupscope.kafka.errors import RetryableClusterError
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail
from dupscope.model.batch import Gap, RecordBatch, TailRead
from dupscope.model.position import PartitionTable, offset_of, slot_of
from support.waiting import wait_until

ENOUGH_SECONDS = 20
PATIENT_SECONDS = 60


@dataclass
class Heard:
    """All that several reads gave, in order."""

    reads: list[TailRead] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)
    unkeyed: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    holes: list[tuple[int, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def add(self, read: TailRead) -> None:
        self.reads.append(read)
        self.records += read.records
        self.unkeyed += read.unkeyed
        self.errors += read.errors
        self.holes += read.holes
        self.gaps += read.gaps

    def column(self, name: str) -> list[int]:
        return np.concatenate([getattr(read.batch, name) for read in self.reads]).tolist()

    def offsets(self) -> dict[int, list[int]]:
        """Slot -> offsets of its keyed records, in reading order."""
        found: dict[int, list[int]] = {}
        for packed in self.column("position"):
            found.setdefault(slot_of(packed), []).append(offset_of(packed))
        return found

    def rows(self) -> dict[int, tuple[int, ...]]:
        """Packed position -> every other column's value."""
        columns = [self.column(name) for name in ("timestamp", "fp_hi", "fp_lo", "content")]
        return dict(zip(self.column("position"), zip(*columns, strict=True), strict=True))


def opened(tail: Tail, resume: TailState | None = None) -> Tail:
    """Open as soon as the brokers know the leaders of a topic that was just created."""

    def attempt() -> bool:
        try:
            tail.open(resume)
        except RetryableClusterError:
            return False
        return True

    wait_until(attempt, ENOUGH_SECONDS, "the tail opens")
    return tail


def read_to_end(tail: Tail, max_records: int = 10_000) -> Heard:
    """Read until every partition's end was met."""
    heard = Heard()

    def done() -> bool:
        heard.add(tail.read(max_records, 0.05))
        return tail.at_end == set(tail.positions)

    wait_until(done, ENOUGH_SECONDS, "the tail is at the end", poll=0)
    return heard


def read_until(tail: Tail, records: int, max_records: int = 10_000) -> Heard:
    """Read until so many records came."""
    heard = Heard()

    def done() -> bool:
        heard.add(tail.read(max_records, 0.05))
        return heard.records.total() >= records

    wait_until(done, ENOUGH_SECONDS, f"{records} records were read", poll=0)
    return heard


def read_while(tail: Tail, is_enough: Callable[[Heard], bool], what: str) -> Heard:
    """Read until what was heard is enough."""
    heard = Heard()

    def done() -> bool:
        heard.add(tail.read(10_000, 0.05))
        return is_enough(heard)

    wait_until(done, PATIENT_SECONDS, what, poll=0)
    return heard


def slots(table: PartitionTable) -> dict[tuple[str, int], int]:
    return {(partition.topic, partition.number): slot for slot, partition in enumerate(table.partitions)}


def same_length(batch: RecordBatch) -> bool:
    names = ("position", "timestamp", "fp_hi", "fp_lo", "content")
    return {len(getattr(batch, name)) for name in names} == {len(batch)}
