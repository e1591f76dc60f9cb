from __future__ import annotations

from collections import Counter

import numpy as np

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.columns import Decoder, joined_columns
from dupscope.kafka.fields import Fields
from dupscope.model.position import Partition, pack

FINGERPRINTER = Fingerprinter(bytes(16), "p", KeySpec("kafka_key"))


def decoder(**logical: str) -> Decoder:
    return assigned(Decoder(1, FINGERPRINTER), **logical)


def assigned(made: Decoder, **logical: str) -> Decoder:
    for slot, (topic, name) in enumerate(logical.items()):
        for number in range(2):
            made.assign(Partition(1, "c", topic, topic, name, number), 10 * slot + number)
    return made


def fields(*rows: tuple[int, int, int, bytes | None], one_topic: bool = False) -> Fields:
    """Rows of (topic, partition, offset, key)."""
    topics, numbers, offsets, keys = zip(*rows, strict=True)
    return Fields(
        np.zeros(1, np.int64) if one_topic else np.array(topics),
        np.array(numbers),
        np.array(offsets),
        np.array(offsets) + 1000,
        list(keys),
        [b"v"] * len(rows),
        None,
    )


class TestDecoder:
    def test_positions_are_packed_by_slot(self):
        columns = decoder(t="t").decode(fields((0, 0, 5, b"a"), (0, 1, 7, b"b"), one_topic=True))
        assert columns.batch.position.tolist() == [pack(0, 5), pack(1, 7)]
        assert columns.batch.timestamp.tolist() == [1005, 1007]
        assert columns.last_timestamp == {"t": 1007}

    def test_topics_may_be_mixed(self):
        rows = [(0, 0, 0, b"a"), (1, 1, 4, b"a"), (0, 1, 2, b"b"), (1, 0, 9, None)]
        columns = decoder(t="t", u="logical").decode(fields(*rows))
        expected = [FINGERPRINTER.records(topic, [b"a"], [b"v"]).fp_hi[0] for topic in ("t", "logical")]
        assert columns.batch.position.tolist() == [pack(0, 0), pack(11, 4), pack(1, 2)]
        assert columns.batch.fp_hi[:2].tolist() == expected
        assert columns.records == {"t": 2, "u": 2}
        assert columns.unkeyed == {("u", "null_key"): 1}
        assert columns.last_timestamp == {"t": 1002, "u": 1009}

    def test_unkeyed_records_leave_the_batch_and_stay_in_the_offsets(self):
        columns = decoder(t="t").decode(fields((0, 0, 5, None), (0, 0, 6, b"b"), one_topic=True))
        assert columns.batch.position.tolist() == [pack(0, 6)]
        assert columns.offsets.tolist() == [5, 6]
        assert columns.slots.tolist() == [0, 0]

    def test_partitions_may_come_later_and_in_any_order(self):
        made = decoder(t="t")
        made.assign(Partition(1, "c", "t", "t", "t", 7), 300)
        columns = made.decode(fields((0, 7, 0, b"a"), (0, 1, 0, b"a"), one_topic=True))
        assert columns.slots.tolist() == [300, 1]


class TestJoinedColumns:
    def test_parts_follow_each_other_and_counts_add_up(self):
        made = decoder(t="t")
        parts = [
            made.decode(fields((0, 0, 0, b"a"), (0, 0, 9, None), one_topic=True)),
            made.decode(fields((0, 1, 3, b"b"), one_topic=True)),
        ]
        columns = joined_columns(parts)
        assert columns.batch.position.tolist() == [pack(0, 0), pack(1, 3)]
        assert columns.offsets.tolist() == [0, 9, 3]
        assert columns.records == Counter({"t": 3})
        assert columns.unkeyed == {("t", "null_key"): 1}
        assert columns.last_timestamp == {"t": 1009}
