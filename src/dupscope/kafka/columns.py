"""Fields of records -> columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.fields import Fields, chosen
from dupscope.kafka.redrive import RedriveMarks
from dupscope.model.batch import I64, U64, Bools, RecordBatch
from dupscope.model.position import OFFSET_BITS, Partition

_NO_MARKS = RedriveMarks()


@dataclass(frozen=True, slots=True)
class Columns:
    """What a read's messages say. `slots`, `offsets` and `timestamps` are of all records, keyed or not.

    Counts are by physical topic, `unkeyed` also by reason.
    """

    batch: RecordBatch
    slots: I64
    offsets: I64
    timestamps: I64
    records: Counter[str]
    unkeyed: Counter[tuple[str, str]]
    last_timestamp: dict[str, int]


class RecordDecoder(Protocol):
    """Turns fields of one log's records into columns. Knows the slots of the assigned partitions."""

    @property
    def topics(self) -> Mapping[str, int]:
        """Index of each physical topic, as `Fields` name it."""

    @property
    def needs_headers(self) -> bool:
        """Whether fields must have the records' headers."""

    def assign(self, partition: Partition, slot: int) -> None:
        """Records of this partition belong to `slot` from now on."""

    def decode(self, fields: Fields) -> Columns:
        """Columns of the records, in the order given."""


class SlotTable:
    """The slots of the assigned partitions. Topics are known by small numbers, as `Fields` name them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.topics: dict[str, int] = {}
        self._slots = np.full((0, 1), -1, np.int64)

    def assign(self, partition: Partition, slot: int) -> bool:
        """Records of this partition belong to `slot` from now on. True for the first of its topic."""
        is_new = partition.topic not in self.topics
        if is_new:
            self.topics[partition.topic] = len(self.names)
            self.names.append(partition.topic)
            self._slots = np.pad(self._slots, ((0, 1), (0, 0)), constant_values=-1)
        missing = partition.number + 1 - self._slots.shape[1]
        if missing > 0:
            self._slots = np.pad(self._slots, ((0, 0), (0, missing)), constant_values=-1)
        self._slots[self.topics[partition.topic], partition.number] = slot
        return is_new

    def of(self, fields: Fields) -> I64:
        """The slot of each record."""
        slots: I64 = self._slots[fields.topics, fields.numbers]
        return slots

    def latest(self, fields: Fields) -> dict[str, int]:
        """The largest timestamp of each topic that has records."""
        if len(self.names) == 1:
            return {self.names[0]: int(fields.timestamps.max())}
        return {
            self.names[index]: int(fields.timestamps[fields.topics == index].max())
            for index in np.unique(fields.topics).tolist()
        }


class Decoder:
    """The decoder of records that are joined by their business key."""

    def __init__(self, log: int, fingerprinter: Fingerprinter, redrive: RedriveMarks = _NO_MARKS) -> None:
        self._log = log
        self._fingerprinter = fingerprinter
        self._redrive = redrive
        self._logical: list[str] = []
        self._table = SlotTable()

    @property
    def topics(self) -> Mapping[str, int]:
        """Index of each physical topic, as `Fields` name it."""
        return self._table.topics

    @property
    def needs_headers(self) -> bool:
        """Whether fields must have the records' headers."""
        return self._fingerprinter.needs_headers or bool(self._redrive)

    def assign(self, partition: Partition, slot: int) -> None:
        """Records of this partition belong to `slot` from now on."""
        if self._table.assign(partition, slot):
            self._logical.append(partition.logical_topic)

    def decode(self, fields: Fields) -> Columns:
        """Columns of the records, in the order given."""
        slots = self._table.of(fields)
        records: Counter[str] = Counter()
        unkeyed: Counter[tuple[str, str]] = Counter()
        fp_hi, fp_lo, content, keyed = self._fingerprints(fields, records, unkeyed)
        position = ((slots << OFFSET_BITS) | (fields.offsets + 1)).view(np.uint64)
        redriven = self._redriven(fields)
        batch = RecordBatch(self._log, position, fields.timestamps, fp_hi, fp_lo, content, redriven)
        if unkeyed:
            batch = _only(batch, keyed)
        latest = self._table.latest(fields)
        return Columns(batch, slots, fields.offsets, fields.timestamps, records, unkeyed, latest)

    def _fingerprints(
        self, fields: Fields, records: Counter[str], unkeyed: Counter[tuple[str, str]]
    ) -> tuple[U64, U64, U64, Bools]:
        present = np.unique(fields.topics).tolist()
        if len(present) == 1:
            return self._of_topic(present[0], fields, records, unkeyed)
        fp_hi, fp_lo, content = (np.empty(len(fields), np.uint64) for _ in range(3))
        keyed = np.empty(len(fields), np.bool_)
        for index in present:
            mine = fields.topics == index
            fp_hi[mine], fp_lo[mine], content[mine], keyed[mine] = self._of_topic(
                index, chosen(fields, mine), records, unkeyed
            )
        return fp_hi, fp_lo, content, keyed

    def _of_topic(
        self, index: int, fields: Fields, records: Counter[str], unkeyed: Counter[tuple[str, str]]
    ) -> tuple[U64, U64, U64, Bools]:
        topic = self._table.names[index]
        found = self._fingerprinter.records(self._logical[index], fields.keys, fields.values, fields.headers)
        records[topic] += len(fields)
        unkeyed.update({(topic, str(reason)): count for reason, count in found.unkeyed.items() if count})
        return found.fp_hi, found.fp_lo, found.content, found.keyed

    def _redriven(self, fields: Fields) -> Bools | None:
        if not self._redrive or fields.headers is None:
            return None
        marked = np.fromiter(map(self._redrive.marks, fields.headers), np.bool_, len(fields))
        return marked if marked.any() else None


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


def without(columns: Columns, slots: Collection[int], topics: Collection[str]) -> Columns:
    """Columns without the records of some slots, which are all those of `topics`."""
    kept = ~np.isin(columns.slots, list(slots))
    of_batch = ~np.isin((columns.batch.position >> np.uint64(OFFSET_BITS)).view(np.int64), list(slots))
    return Columns(
        _only(columns.batch, of_batch),
        columns.slots[kept],
        columns.offsets[kept],
        columns.timestamps[kept],
        Counter({topic: count for topic, count in columns.records.items() if topic not in topics}),
        Counter({key: count for key, count in columns.unkeyed.items() if key[0] not in topics}),
        {topic: latest for topic, latest in columns.last_timestamp.items() if topic not in topics},
    )


def _joined_batch(batches: Sequence[RecordBatch]) -> RecordBatch:
    return RecordBatch(
        batches[0].log,
        np.concatenate([batch.position for batch in batches]),
        np.concatenate([batch.timestamp for batch in batches]),
        np.concatenate([batch.fp_hi for batch in batches]),
        np.concatenate([batch.fp_lo for batch in batches]),
        np.concatenate([batch.content for batch in batches]),
        _joined_marks(batches),
    )


def _joined_marks(batches: Sequence[RecordBatch]) -> Bools | None:
    if all(batch.redriven is None for batch in batches):
        return None
    return np.concatenate(
        [np.zeros(len(batch), np.bool_) if batch.redriven is None else batch.redriven for batch in batches]
    )


def _only(batch: RecordBatch, chosen: Bools) -> RecordBatch:
    redriven = None if batch.redriven is None else batch.redriven[chosen]
    return RecordBatch(
        batch.log,
        batch.position[chosen],
        batch.timestamp[chosen],
        batch.fp_hi[chosen],
        batch.fp_lo[chosen],
        batch.content[chosen],
        redriven if redriven is not None and redriven.any() else None,
    )
