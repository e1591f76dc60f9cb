from __future__ import annotations

from collections import Counter

import numpy as np

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.columns import Columns, Decoder, joined_columns, without
from dupscope.kafka.fields import Fields
from dupscope.kafka.redrive import RedriveMarks
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

    def test_topics_may_come_later(self):
        made = assigned(Decoder(1, FINGERPRINTER))
        assert made.topics == {}
        assigned(made, t="t", u="u")
        made.assign(Partition(1, "c", "t2", "t", "t", 1), 40)
        assert made.topics == {"t": 0, "u": 1}
        columns = made.decode(fields((1, 1, 4, b"a"), (0, 1, 2, b"b"), (0, 0, 2, b"c")))
        assert columns.slots.tolist() == [11, 40, 0]

    def test_two_topics_of_one_logical_topic_have_equal_fingerprints_and_counts_of_their_own(self):
        columns = decoder(t="x", u="x").decode(fields((0, 0, 0, b"a"), (1, 0, 0, b"a")))
        assert len(set(columns.batch.fp_hi.tolist())) == 1
        assert columns.records == {"t": 1, "u": 1}


MARKS = RedriveMarks(frozenset({"redrive"}))
MARKED = [("redrive", b"")]


class TestRedriven:
    def decoded(self, *rows: tuple[bytes | None, list | None], marks: RedriveMarks = MARKS) -> Columns:
        """Rows of (key, headers)."""
        made = assigned(Decoder(1, FINGERPRINTER, marks), t="t")
        these = fields(*[(0, 0, at, key) for at, (key, _) in enumerate(rows)], one_topic=True)
        assert made.needs_headers is bool(marks)
        these.headers = [headers for _, headers in rows] if made.needs_headers else None
        return made.decode(these)

    def test_marked_records_are_told(self):
        columns = self.decoded((b"a", None), (b"b", MARKED), (b"c", []))
        assert columns.batch.redriven.tolist() == [False, True, False]

    def test_none_where_no_record_is_marked_or_no_mark_is_known(self):
        assert self.decoded((b"a", None)).batch.redriven is None
        assert self.decoded((b"a", MARKED), marks=RedriveMarks()).batch.redriven is None

    def test_marks_leave_with_unkeyed_records(self):
        columns = self.decoded((None, MARKED), (b"b", None))
        assert columns.batch.redriven is None
        columns = self.decoded((None, None), (b"b", MARKED), (b"c", None))
        assert columns.batch.redriven.tolist() == [True, False]

    def test_parts_with_and_without_marks_are_joined(self):
        parts = [self.decoded((b"a", None)), self.decoded((b"b", MARKED), (b"c", None))]
        assert joined_columns(parts).batch.redriven.tolist() == [False, True, False]
        assert joined_columns([parts[0], parts[0]]).batch.redriven is None


class TestWithout:
    def test_a_topics_records_leave_everything(self):
        rows = [(0, 0, 0, b"a"), (1, 1, 4, b"a"), (0, 1, 2, None), (1, 0, 9, None)]
        columns = without(decoder(t="t", u="u").decode(fields(*rows)), {0, 1}, {"t"})
        assert columns.batch.position.tolist() == [pack(11, 4)]
        assert (columns.slots.tolist(), columns.offsets.tolist()) == ([11, 10], [4, 9])
        assert columns.timestamps.tolist() == [1004, 1009]
        assert columns.records == {"u": 2}
        assert columns.unkeyed == {("u", "null_key"): 1}
        assert columns.last_timestamp == {"u": 1009}

    def test_nothing_may_be_left(self):
        columns = without(decoder(t="t").decode(fields((0, 0, 0, b"a"), one_topic=True)), {0}, {"t"})
        assert (len(columns.batch), columns.records, columns.last_timestamp) == (0, {}, {})


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
