"""Fields of records -> columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.fields import Fields, chosen
from dupscope.model.batch import I64, U64, Bools, RecordBatch
from dupscope.model.position import OFFSET_BITS


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


class Decoder:
    """Turns fields of one log's records into columns. Knows the slots of the assigned partitions."""

    def __init__(self, log: int, logical: Mapping[str, str], fingerprinter: Fingerprinter) -> None:
        self._log = log
        self._fingerprinter = fingerprinter
        self._topics = list(logical)
        self._logical_names = sorted(set(logical.values()))
        self._logical = np.array([self._logical_names.index(logical[topic]) for topic in self._topics])
        self._slots = np.full((len(self._topics), 1), -1, np.int64)

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
                self._logical_names[index], chosen(fields, mine), records, unkeyed
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


def joined_columns(parts: Sequence[Columns]) -> Columns:
    """Parts, of which there is at least one, as one."""
    if len(parts) == 1:
        return parts[0]
    latest: dict[str, int] = {}
    for part in parts:
        for topic, timestamp in part.last_timestamp.items():
            latest[topic] = max(timestamp, latest.get(topic, timestamp))
    return Columns(
        _joined_batch([part.batch for part in parts]),
        np.concatenate([part.slots for part in parts]),
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.timestamps for part in parts]),
        sum((part.records for part in parts), Counter()),
        sum((part.unkeyed for part in parts), Counter()),
        latest,
    )


def _joined_batch(batches: Sequence[RecordBatch]) -> RecordBatch:
    return RecordBatch(
        batches[0].log,
        np.concatenate([batch.position for batch in batches]),
        np.concatenate([batch.timestamp for batch in batches]),
        np.concatenate([batch.fp_hi for batch in batches]),
        np.concatenate([batch.fp_lo for batch in batches]),
        np.concatenate([batch.content for batch in batches]),
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
