"""The client's messages -> columns. The hot path: no loop over records in Python, no object per record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
from confluent_kafka import Message

from dupscope.model.batch import I64, U64, Bools, RecordBatch
from dupscope.model.position import OFFSET_BITS

_TIMESTAMP = itemgetter(1)


class Fingerprints(Protocol):
    """Columns of one logical topic's records; `keyed` is False where a record has no usable business key."""

    @property
    def fp_hi(self) -> U64: ...
    @property
    def fp_lo(self) -> U64: ...
    @property
    def content(self) -> U64: ...
    @property
    def keyed(self) -> Bools: ...
    @property
    def unkeyed(self) -> Counter[Any]: ...


class RecordFingerprinter(Protocol):
    """Names the business fact of each record. Called with one logical topic's records at a time; never raises."""

    @property
    def needs_headers(self) -> bool: ...

    def records(
        self,
        logical_topic: str,
        keys: list[bytes | None],
        values: list[bytes | None],
        headers: list[Any] | None,
    ) -> Fingerprints: ...


@dataclass(frozen=True, slots=True)
class Columns:
    """What a read's messages say. `slots`, `offsets` and `timestamps` are of all records, keyed or not."""

    batch: RecordBatch
    slots: I64
    offsets: I64
    timestamps: I64
    records: Counter[str]
    unkeyed: Counter[tuple[str, str]]
    last_timestamp: dict[str, int]


def split(messages: list[Message]) -> tuple[list[Message], I64, list[Message]]:
    """Records, their timestamps (ms), and the client's events (errors, ends of partitions).

    An event has no timestamp. A record without one is still a record.
    """
    stamps = np.fromiter(map(_TIMESTAMP, map(Message.timestamp, messages)), np.int64, len(messages))
    if not len(stamps) or stamps.min() > 0:
        return messages, stamps, []
    unstamped = np.flatnonzero(stamps <= 0).tolist()
    at = [index for index in unstamped if messages[index].error() is not None]
    if not at:
        return messages, stamps, []
    is_record = np.ones(len(messages), np.bool_)
    is_record[at] = False
    return list(compress(messages, is_record.tolist())), stamps[is_record], [messages[index] for index in at]


class Decoder:
    """Turns the records of one log into columns. Knows the slots of the assigned partitions."""

    def __init__(self, log: int, logical: dict[str, str], fingerprinter: RecordFingerprinter) -> None:
        self._log = log
        self._fingerprinter = fingerprinter
        self._topics = list(logical)
        self._physical = {topic: index for index, topic in enumerate(self._topics)}
        self._logical_names = sorted(set(logical.values()))
        self._logical = np.array([self._logical_names.index(logical[topic]) for topic in self._topics])
        self._slots = np.full((len(self._topics), 1), -1, np.int64)

    def assign(self, topic: str, number: int, slot: int) -> None:
        """Records of this partition belong to `slot` from now on."""
        missing = number + 1 - self._slots.shape[1]
        if missing > 0:
            self._slots = np.pad(self._slots, ((0, 0), (0, missing)), constant_values=-1)
        self._slots[self._physical[topic], number] = slot

    def decode(self, messages: list[Message], timestamps: I64) -> Columns:
        """Columns of records (not of events), in the order given."""
        count = len(messages)
        numbers = np.fromiter(map(Message.partition, messages), np.int64, count)
        offsets = np.fromiter(map(Message.offset, messages), np.int64, count)
        physical = self._physical_topics(messages)
        slots = self._slots[physical, numbers]
        records: Counter[str] = Counter()
        unkeyed: Counter[tuple[str, str]] = Counter()
        fp_hi, fp_lo, content, keyed = self._fingerprints(messages, physical, records, unkeyed)
        position = ((slots << OFFSET_BITS) | (offsets + 1)).view(np.uint64)
        batch = RecordBatch(self._log, position, timestamps, fp_hi, fp_lo, content)
        if unkeyed:
            batch = _only(batch, keyed)
        latest = self._latest(physical, timestamps)
        return Columns(batch, slots, offsets, timestamps, records, unkeyed, latest)

    def _physical_topics(self, messages: list[Message]) -> I64:
        """Index of each record's topic; one 0 for all when there is one topic only."""
        if len(self._topics) == 1:
            return np.zeros(1, np.int64)
        topics: Iterable[str] = map(_TOPIC, messages)
        indices = map(self._physical.__getitem__, topics)
        return np.fromiter(indices, np.int64, len(messages))

    def _fingerprints(
        self,
        messages: list[Message],
        physical: I64,
        records: Counter[str],
        unkeyed: Counter[tuple[str, str]],
    ) -> tuple[U64, U64, U64, Bools]:
        count = len(messages)
        logical = self._logical[physical]
        present = np.unique(logical).tolist()
        if len(present) == 1:
            return self._of_topic(self._logical_names[present[0]], messages, records, unkeyed)
        fp_hi, fp_lo, content = (np.empty(count, np.uint64) for _ in range(3))
        keyed = np.empty(count, np.bool_)
        for index in present:
            mine = logical == index
            chosen = list(compress(messages, mine.tolist()))
            fp_hi[mine], fp_lo[mine], content[mine], keyed[mine] = self._of_topic(
                self._logical_names[index], chosen, records, unkeyed
            )
        return fp_hi, fp_lo, content, keyed

    def _of_topic(
        self,
        topic: str,
        messages: list[Message],
        records: Counter[str],
        unkeyed: Counter[tuple[str, str]],
    ) -> tuple[U64, U64, U64, Bools]:
        headers = list(map(Message.headers, messages)) if self._fingerprinter.needs_headers else None
        keys, values = list(map(_KEY, messages)), list(map(_VALUE, messages))
        found = self._fingerprinter.records(topic, keys, values, headers)
        records[topic] += len(messages)
        unkeyed.update({(topic, str(reason)): count for reason, count in found.unkeyed.items() if count})
        return found.fp_hi, found.fp_lo, found.content, found.keyed

    def _latest(self, physical: I64, timestamps: I64) -> dict[str, int]:
        if len(self._topics) == 1:
            return {self._topics[0]: int(timestamps.max())}
        return {
            self._topics[index]: int(timestamps[physical == index].max())
            for index in np.unique(physical).tolist()
        }


def _only(batch: RecordBatch, chosen: Bools) -> RecordBatch:
    return RecordBatch(
        batch.log,
        batch.position[chosen],
        batch.timestamp[chosen],
        batch.fp_hi[chosen],
        batch.fp_lo[chosen],
        batch.content[chosen],
    )


_KEY: Callable[[Message], bytes | None] = Message.key
_VALUE: Callable[[Message], bytes | None] = Message.value
_TOPIC: Callable[[Message], Any] = Message.topic  # a record always has one
