"""The client's messages -> columns. The hot path: no loop over records in Python, no object per record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
from confluent_kafka import Message

from dupscope.model.batch import I64, U64, Bools, RecordBatch
from dupscope.model.position import OFFSET_BITS

_TIMESTAMP = itemgetter(1)
_ONE_TOPIC = np.zeros(1, np.int64)


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


@dataclass(slots=True)
class Fields:
    """Fields of some records, in reading order. `topics` are indices of physical topics.

    `headers` is None where nobody needs them, `topics` a single 0 where there is one topic only.
    """

    topics: I64
    numbers: I64
    offsets: I64
    timestamps: I64
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Any] | None

    def __len__(self) -> int:
        return len(self.keys)


class Intake:
    """Takes messages apart in small portions, while they are warm, and lets go of them at once.

    A portion of a thousand or two stays in the processor's cache and its memory is used again for the next.
    """

    def __init__(self, topics: list[str], *, needs_headers: bool) -> None:
        self._topic_index = {topic: index for index, topic in enumerate(topics)}
        self._needs_headers = needs_headers
        self._portions: list[Fields] = []
        self.events: list[Message] = []

    def take(self, messages: list[Message]) -> None:
        """Keep the fields of the records, and the client's events (errors, ends of partitions)."""
        records, timestamps, events = split(messages)
        self.events += events
        if records:
            self._portions.append(self._fields(records, timestamps))

    def fields(self) -> Fields | None:
        """Everything taken, as one; None without a record."""
        portions = self._portions
        if len(portions) <= 1:
            return portions[0] if portions else None
        return Fields(
            portions[0].topics
            if len(self._topic_index) == 1
            else np.concatenate([portion.topics for portion in portions]),
            np.concatenate([portion.numbers for portion in portions]),
            np.concatenate([portion.offsets for portion in portions]),
            np.concatenate([portion.timestamps for portion in portions]),
            list(chain.from_iterable(portion.keys for portion in portions)),
            list(chain.from_iterable(portion.values for portion in portions)),
            list(chain.from_iterable(portion.headers or () for portion in portions))
            if self._needs_headers
            else None,
        )

    def _fields(self, records: list[Message], timestamps: I64) -> Fields:
        count = len(records)
        return Fields(
            self._topics(records),
            np.fromiter(map(Message.partition, records), np.int64, count),
            np.fromiter(map(Message.offset, records), np.int64, count),
            timestamps,
            list(map(_KEY, records)),
            list(map(_VALUE, records)),
            list(map(Message.headers, records)) if self._needs_headers else None,
        )

    def _topics(self, records: list[Message]) -> I64:
        if len(self._topic_index) == 1:
            return _ONE_TOPIC
        topics: Iterable[str] = map(_TOPIC, records)
        return np.fromiter(map(self._topic_index.__getitem__, topics), np.int64, len(records))


def split(messages: list[Message]) -> tuple[list[Message], I64, list[Message]]:
    """Records, their timestamps (ms), and the client's events.

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
    """Turns fields of one log's records into columns. Knows the slots of the assigned partitions."""

    def __init__(self, log: int, logical: Mapping[str, str], fingerprinter: RecordFingerprinter) -> None:
        self._log = log
        self._fingerprinter = fingerprinter
        self._topics = list(logical)
        self._logical_names = sorted(set(logical.values()))
        self._logical = np.array([self._logical_names.index(logical[topic]) for topic in self._topics])
        self._slots = np.full((len(self._topics), 1), -1, np.int64)

    def intake(self) -> Intake:
        """An empty intake for one read."""
        return Intake(self._topics, needs_headers=self._fingerprinter.needs_headers)

    def assign(self, topic: str, number: int, slot: int) -> None:
        """Records of this partition belong to `slot` from now on."""
        missing = number + 1 - self._slots.shape[1]
        if missing > 0:
            self._slots = np.pad(self._slots, ((0, 0), (0, missing)), constant_values=-1)
        self._slots[self._topics.index(topic), number] = slot

    def decode(self, fields: Fields) -> Columns:
        """Columns of the records, in the order given."""
        slots = self._slots[fields.topics, fields.numbers]
        records: Counter[str] = Counter()
        unkeyed: Counter[tuple[str, str]] = Counter()
        fp_hi, fp_lo, content, keyed = self._fingerprints(fields, records, unkeyed)
        position = ((slots << OFFSET_BITS) | (fields.offsets + 1)).view(np.uint64)
        batch = RecordBatch(self._log, position, fields.timestamps, fp_hi, fp_lo, content)
        if unkeyed:
            batch = _only(batch, keyed)
        latest = self._latest(fields)
        return Columns(batch, slots, fields.offsets, fields.timestamps, records, unkeyed, latest)

    def _fingerprints(
        self, fields: Fields, records: Counter[str], unkeyed: Counter[tuple[str, str]]
    ) -> tuple[U64, U64, U64, Bools]:
        if len(self._logical_names) == 1:
            return self._of_topic(self._logical_names[0], fields, records, unkeyed)
        logical = self._logical[fields.topics]
        fp_hi, fp_lo, content = (np.empty(len(fields), np.uint64) for _ in range(3))
        keyed = np.empty(len(fields), np.bool_)
        for index in np.unique(logical).tolist():
            mine = logical == index
            fp_hi[mine], fp_lo[mine], content[mine], keyed[mine] = self._of_topic(
                self._logical_names[index], _chosen(fields, mine), records, unkeyed
            )
        return fp_hi, fp_lo, content, keyed

    def _of_topic(
        self, topic: str, fields: Fields, records: Counter[str], unkeyed: Counter[tuple[str, str]]
    ) -> tuple[U64, U64, U64, Bools]:
        found = self._fingerprinter.records(topic, fields.keys, fields.values, fields.headers)
        records[topic] += len(fields)
        unkeyed.update({(topic, str(reason)): count for reason, count in found.unkeyed.items() if count})
        return found.fp_hi, found.fp_lo, found.content, found.keyed

    def _latest(self, fields: Fields) -> dict[str, int]:
        if len(self._topics) == 1:
            return {self._topics[0]: int(fields.timestamps.max())}
        return {
            self._topics[index]: int(fields.timestamps[fields.topics == index].max())
            for index in np.unique(fields.topics).tolist()
        }


def _chosen(fields: Fields, mine: Bools) -> Fields:
    chosen = mine.tolist()
    return Fields(
        fields.topics[mine],
        fields.numbers[mine],
        fields.offsets[mine],
        fields.timestamps[mine],
        list(compress(fields.keys, chosen)),
        list(compress(fields.values, chosen)),
        None if fields.headers is None else list(compress(fields.headers, chosen)),
    )


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
