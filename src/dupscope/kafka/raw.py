"""Records as they are, for who reads what their values say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dupscope.kafka.columns import Columns, SlotTable
from dupscope.kafka.fields import Fields
from dupscope.model.batch import RecordBatch
from dupscope.model.position import OFFSET_BITS, Partition, offset_of, slot_of

Headers = list[tuple[str, bytes | None]]


class RawRecord(NamedTuple):
    """One committed record. `timestamp` in milliseconds since 1970, not positive where it has none."""

    slot: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RawDecoder:
    """Keeps the records that a tail reads, until `taken` gives them out.

    Its batches have no fingerprints. In place of a digest of each record's content they have the number under
    which the record is kept.
    """

    needs_headers = True

    def __init__(self) -> None:
        self._table = SlotTable()
        self._kept: list[tuple[bytes | None, bytes | None, Headers | None]] = []
        self._first = 0
        """The number of the first record that is kept."""

    @property
    def topics(self) -> Mapping[str, int]:
        """Index of each physical topic, as `Fields` name it."""
        return self._table.topics

    def assign(self, partition: Partition, slot: int) -> None:
        """Records of this partition belong to `slot` from now on."""
        self._table.assign(partition, slot)

    def decode(self, fields: Fields) -> Columns:
        """Columns of the records, in the order given."""
        count, slots = len(fields), self._table.of(fields)
        begin = self._first + len(self._kept)
        self._kept += zip(fields.keys, fields.values, fields.headers or [None] * count, strict=True)
        none, numbers = np.zeros(count, np.uint64), np.arange(begin, begin + count, dtype=np.uint64)
        position = ((slots << OFFSET_BITS) | (fields.offsets + 1)).view(np.uint64)
        batch = RecordBatch(0, position, fields.timestamps, none, none, numbers)
        latest = self._table.latest(fields)
        records = Counter(dict.fromkeys(latest, count))
        if len(latest) > 1:
            records = Counter(map(self._table.names.__getitem__, fields.topics.tolist()))
        return Columns(batch, slots, fields.offsets, fields.timestamps, records, Counter(), latest)

    def taken(self, batch: RecordBatch) -> list[RawRecord]:
        """The records of a batch that a tail has returned. What was fetched before them is let go."""
        columns = (batch.position.tolist(), batch.timestamp.tolist(), batch.content.tolist())
        records = [
            RawRecord(slot_of(position), offset_of(position), timestamp, key, value, headers or [])
            for position, timestamp, number in zip(*columns, strict=True)
            for key, value, headers in (self._kept[number - self._first],)
        ]
        if records:
            self._first += len(self._kept)
            self._kept.clear()
        return records
