from __future__ import annotations

import numpy as np
import pytest

from dupscope.kafka.columns import joined_columns, without
from dupscope.kafka.fields import Fields
from dupscope.kafka.raw import RawDecoder, RawRecord
from dupscope.model.batch import no_records
from dupscope.model.position import Partition


def fields(*rows: tuple[int, int, int], one_topic: bool = False) -> Fields:
    """Rows of (topic, partition, offset)."""
    topics, numbers, offsets = zip(*rows, strict=True)
    return Fields(
        np.zeros(1, np.int64) if one_topic else np.array(topics),
        np.array(numbers),
        np.array(offsets),
        np.array(offsets) + 1000,
        [b"k"] * len(rows),
        [f"{row}".encode() for row in rows],
        [[("h", b"1")] if row[2] % 2 else None for row in rows],
    )


@pytest.fixture
def decoder() -> RawDecoder:
    made = RawDecoder()
    for slot, topic in enumerate(("t", "u")):
        for number in range(2):
            made.assign(Partition(0, "c", topic, topic, topic, number), 10 * slot + number)
    return made


class TestRawDecoder:
    def test_records_come_out_as_they_were(self, decoder):
        columns = decoder.decode(fields((0, 0, 5), (1, 1, 7)))
        assert decoder.taken(columns.batch) == [
            RawRecord(0, 5, 1005, b"k", b"(0, 0, 5)", [("h", b"1")]),
            RawRecord(11, 7, 1007, b"k", b"(1, 1, 7)", [("h", b"1")]),
        ]
        assert columns.records == {"t": 1, "u": 1}
        assert columns.last_timestamp == {"t": 1005, "u": 1007}

    def test_a_batch_of_several_portions_without_some_slots_finds_its_records(self, decoder):
        parts = [decoder.decode(fields((0, 0, n), (1, 0, n), (0, 1, n))) for n in range(4)]
        kept = without(joined_columns(parts), [10], ["u"])
        assert [(one.slot, one.offset) for one in decoder.taken(kept.batch)] == [
            (slot, n) for n in range(4) for slot in (0, 1)
        ]

    def test_a_batch_without_a_record_takes_nothing_away(self, decoder):
        columns = decoder.decode(fields((0, 0, 6)))
        assert decoder.taken(no_records(0)) == []
        assert decoder.taken(columns.batch) == [RawRecord(0, 6, 1006, b"k", b"(0, 0, 6)", [])]

    def test_what_was_given_out_is_kept_no_more_nor_what_was_dropped_before(self, decoder):
        decoder.decode(fields((0, 0, 1), (0, 0, 2)))
        assert len(decoder.taken(decoder.decode(fields((0, 0, 3))).batch)) == 1
        assert decoder._kept == []
        assert decoder.taken(decoder.decode(fields((0, 0, 4))).batch)[0].offset == 4

    def test_one_topic_needs_no_topic_numbers(self):
        decoder = RawDecoder()
        decoder.assign(Partition(0, "c", "t", "t", "t", 0), 3)
        columns = decoder.decode(fields((0, 0, 1), (0, 0, 2), one_topic=True))
        assert (columns.records, columns.slots.tolist()) == ({"t": 2}, [3, 3])
