from __future__ import annotations

import numpy as np
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, Message

from dupscope.kafka.fields import chosen, fields_of, joined_fields, split

TOPICS = {"t": 0, "u": 1}


def record(offset: int, timestamp: int = 1000, topic: str = "t", headers=None) -> Message:
    return Message(
        topic=topic,
        partition=3,
        offset=offset,
        key=b"k%d" % offset,
        value=b"v%d" % offset,
        headers=headers,
        timestamp=(TIMESTAMP_CREATE_TIME, timestamp),
    )


def event(code: int = KafkaError._PARTITION_EOF) -> Message:
    return Message(topic="t", partition=3, offset=9, error=KafkaError(code), timestamp=(0, 0))


class TestSplit:
    def test_events_are_told_from_records(self):
        end = event()
        records, timestamps, events = split([record(0, 5), end, record(1, 6)])
        assert [each.offset() for each in records] == [0, 1]
        assert timestamps.tolist() == [5, 6]
        assert events == [end]

    def test_a_record_without_a_timestamp_is_a_record(self):
        records, timestamps, events = split([record(0, 0), record(1, -1)])
        assert [each.offset() for each in records] == [0, 1]
        assert timestamps.tolist() == [0, -1]
        assert events == []

    def test_both_at_once(self):
        records, timestamps, events = split([record(0, -1), event(), record(1, 7)])
        assert [each.offset() for each in records] == [0, 1]
        assert timestamps.tolist() == [-1, 7]
        assert len(events) == 1

    def test_nothing_is_nothing(self):
        records, timestamps, events = split([])
        assert (records, timestamps.tolist(), events) == ([], [], [])


class TestFieldsOf:
    def test_they_are_columns_in_the_order_given(self):
        fields = fields_of([record(4), record(5, topic="u")], np.array([1, 2]), TOPICS, headers=False)
        assert fields.topics.tolist() == [0, 1]
        assert fields.numbers.tolist() == [3, 3]
        assert fields.offsets.tolist() == [4, 5]
        assert (fields.keys, fields.values, fields.headers) == ([b"k4", b"k5"], [b"v4", b"v5"], None)

    def test_headers_are_taken_where_somebody_needs_them(self):
        records = [record(0, headers=[("h", b"x")]), record(1)]
        assert fields_of(records, np.array([1, 2]), TOPICS, headers=True).headers == [[("h", b"x")], None]


class TestJoinedFields:
    def test_portions_follow_each_other(self):
        portions = [
            fields_of([record(offset, headers=[])], np.array([offset]), TOPICS, headers=True)
            for offset in range(3)
        ]
        fields = joined_fields(portions)
        assert (len(fields), fields.offsets.tolist(), fields.keys) == (3, [0, 1, 2], [b"k0", b"k1", b"k2"])
        assert fields.timestamps.tolist() == [0, 1, 2]
        assert len(fields.headers) == 3

    def test_of_one_topic_its_number_stands_once(self):
        portion = fields_of([record(0)], np.array([1]), {"t": 0}, headers=False)
        assert joined_fields([portion, portion]).topics.tolist() == [0]


class TestChosen:
    def test_every_field_is_filtered(self):
        records = [record(0, headers=[]), record(1, headers=[("a", b"")])]
        fields = chosen(fields_of(records, np.array([5, 6]), TOPICS, headers=True), np.array([False, True]))
        assert (fields.keys, fields.values, fields.headers) == ([b"k1"], [b"v1"], [[("a", b"")]])
        assert (fields.offsets.tolist(), fields.timestamps.tolist()) == ([1], [6])
