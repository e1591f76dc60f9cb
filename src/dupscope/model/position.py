"""Partitions by small numbers, and positions packed into 64 bits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

MAX_PARTITIONS = 1 << 16
OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of one incarnation of a topic, in one log of a pipeline.

    `topic_id` changes when a topic is deleted and created again; where the broker cannot tell it, it is
    the topic's name. `logical_topic` is the name of the source topic.
    """

    log: int
    cluster_id: str
    topic_id: str
    topic: str
    logical_topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record lies, in full. What a finding shows."""

    cluster_id: str
    topic_id: str
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class TooManyPartitionsError(Exception):
    """A pipeline has more partitions than positions can number."""


def pack(slot: int, offset: int) -> int:
    """The position of `offset` in partition slot `slot` as one number, never 0 (which means: none)."""
    return (slot << OFFSET_BITS) | (offset + 1)


def slot_of(packed: int) -> int:
    """The partition slot of a packed position."""
    return packed >> OFFSET_BITS


def offset_of(packed: int) -> int:
    """The offset of a packed position."""
    return (packed & OFFSET_MASK) - 1


@dataclass
class PartitionTable:
    """Numbers the partitions of one pipeline: slot <-> `Partition`. Slots are never reused."""

    partitions: list[Partition] = field(default_factory=list)
    _slots: dict[Partition, int] = field(default_factory=dict, repr=False)
    _numbers: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    _by_log: dict[int, list[int]] = field(default_factory=dict, repr=False)
    _newest: dict[tuple[int, str, int], int] = field(default_factory=dict, repr=False)
    _earlier: dict[int, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.partitions)

    def __getitem__(self, slot: int) -> Partition:
        return self.partitions[slot]

    def slot(self, partition: Partition) -> int:
        """The slot of a partition, a new one when it was never seen."""
        slot = self._slots.get(partition)
        if slot is None:
            slot = len(self.partitions)
            if slot >= MAX_PARTITIONS:
                raise TooManyPartitionsError(
                    f"a pipeline can have {MAX_PARTITIONS} partitions; split it into several pipelines"
                )
            before = self.find(partition.log, partition.topic, partition.number)
            if before is not None:
                self._earlier[slot] = (before, *self._earlier.get(before, ()))
            self._newest[partition.log, partition.topic, partition.number] = slot
            self._slots[partition] = slot
            self.partitions.append(partition)
            self._by_log.setdefault(partition.log, []).append(slot)
        return slot

    def find(self, log: int, topic: str, number: int) -> int | None:
        """The newest slot of a partition by its topic's name, or None. For audit lines, which know no ids."""
        return self._newest.get((log, topic, number))

    def earlier(self, slot: int) -> tuple[int, ...]:
        """Slots of the partition in the topic's namesakes that were deleted before, latest first."""
        return self._earlier.get(slot, ())

    @property
    def recreated(self) -> bool:
        """Whether any topic has had a namesake."""
        return bool(self._earlier)

    def numbers(self) -> npt.NDArray[np.int64]:
        """Partition numbers by slot."""
        if len(self._numbers) < len(self.partitions):
            self._numbers = np.array([partition.number for partition in self.partitions], np.int64)
        return self._numbers

    def slots_of(self, log: int) -> list[int]:
        """All slots of one log."""
        return self._by_log.get(log, [])

    def position(self, packed: int) -> Position:
        """A packed position in full."""
        partition = self.partitions[slot_of(packed)]
        return Position(
            partition.cluster_id, partition.topic_id, partition.topic, partition.number, offset_of(packed)
        )
