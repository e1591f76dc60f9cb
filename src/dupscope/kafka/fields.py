"""The client's messages -> fields. The hot path: no loop over records, no object per record of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any

import numpy as np
from confluent_kafka import Message

from dupscope.model.batch import I64, Bools

_TIMESTAMP = itemgetter(1)
_ONE_TOPIC = np.zeros(1, np.int64)
_KEY: Callable[[Message], bytes | None] = Message.key
_VALUE: Callable[[Message], bytes | None] = Message.value
_TOPIC: Callable[[Message], Any] = Message.topic  # a record always has one


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


def fields_of(records: list[Message], timestamps: I64, topics: Mapping[str, int], *, headers: bool) -> Fields:
    """The fields of records (not of events); `topics` numbers the physical topics."""
    count = len(records)
    return Fields(
        _topics(records, topics),
        np.fromiter(map(Message.partition, records), np.int64, count),
        np.fromiter(map(Message.offset, records), np.int64, count),
        timestamps,
        list(map(_KEY, records)),
        list(map(_VALUE, records)),
        list(map(Message.headers, records)) if headers else None,
    )


def joined_fields(portions: Sequence[Fields]) -> Fields:
    """Portions, of which there is at least one, as one."""
    first = portions[0]
    if len(portions) == 1:
        return first
    one_topic = first.topics is _ONE_TOPIC
    return Fields(
        first.topics if one_topic else np.concatenate([portion.topics for portion in portions]),
        np.concatenate([portion.numbers for portion in portions]),
        np.concatenate([portion.offsets for portion in portions]),
        np.concatenate([portion.timestamps for portion in portions]),
        list(chain.from_iterable(portion.keys for portion in portions)),
        list(chain.from_iterable(portion.values for portion in portions)),
        None
        if first.headers is None
        else list(chain.from_iterable(portion.headers or () for portion in portions)),
    )


def chosen(fields: Fields, mine: Bools) -> Fields:
    """Those of the records that are marked."""
    wanted = mine.tolist()
    return Fields(
        fields.topics[mine],
        fields.numbers[mine],
        fields.offsets[mine],
        fields.timestamps[mine],
        list(compress(fields.keys, wanted)),
        list(compress(fields.values, wanted)),
        None if fields.headers is None else list(compress(fields.headers, wanted)),
    )


def _topics(records: list[Message], topics: Mapping[str, int]) -> I64:
    if len(topics) == 1:
        return _ONE_TOPIC
    names: Iterable[str] = map(_TOPIC, records)
    return np.fromiter(map(topics.__getitem__, names), np.int64, len(records))
