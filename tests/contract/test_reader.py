"""What any reader of a log must do, on any cluster."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from contract.clusters import Cluster, settings_of
from contract.reading import opened, read_to_end, read_until, same_length, slots
from dupscope.kafka.errors import TopicMissingError
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.tail import Tail
from dupscope.model.position import PartitionTable, pack

Tails = Callable[..., Tail]

NOON = 1_700_000_000_000
PARTITIONS = 3


def numbered(count: int, partitions: int = PARTITIONS) -> list[tuple]:
    """Records with keys k0, k1 … and one second between them, dealt out to the partitions in turn."""
    return [(i % partitions, b"k%d" % i, b"v%d" % i, NOON + 1000 * i) for i in range(count)]


class TestRecords:
    def test_every_record_comes_once_in_the_order_of_its_partition(self, cluster: Cluster, tail_of: Tails):
        topic, table = cluster.create_topic(PARTITIONS), PartitionTable()
        cluster.produce(topic, numbered(300))
        heard = read_to_end(opened(tail_of(cluster, {topic: "payments"}, table=table)))
        assert heard.offsets() == {slot: list(range(100)) for slot in slots(table).values()}
        assert heard.records == {"payments": 300}
        assert all(same_length(read.batch) and read.batch.log == 2 for read in heard.reads)

    def test_columns_say_what_the_records_say(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, [(0, b"a", b"1", NOON), (0, b"b", b"1", NOON + 1), (0, b"a", b"1", NOON + 2)])
        heard = read_to_end(opened(tail_of(cluster, {topic: "payments"})))
        first, other, repeat = heard.rows().values()
        assert heard.column("timestamp") == [NOON, NOON + 1, NOON + 2]
        assert first[1:] == repeat[1:]
        assert first[1:3] != other[1:3]
        assert first[3] & 0xFFFFFFFF == other[3] & 0xFFFFFFFF

    def test_null_and_empty_values_differ(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, [(0, b"a", None, NOON), (0, b"a", b"", NOON)])
        tombstone, empty = read_to_end(opened(tail_of(cluster, {topic: "payments"}))).column("content")
        assert tombstone != empty

    def test_records_without_a_business_key_are_counted_and_passed(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, [(0, b"a", b"1"), (0, None, b"2"), (0, None, b"3")])
        tail = opened(tail_of(cluster, {topic: "payments"}))
        heard = read_to_end(tail)
        assert heard.records == {"payments": 3}
        assert heard.unkeyed == {("payments", "null_key"): 2}
        assert heard.offsets() == {0: [0]}
        assert tail.positions == {0: 3}

    def test_equal_keys_in_two_logical_topics_have_two_fingerprints(self, cluster: Cluster, tail_of: Tails):
        payments, refunds = cluster.create_topic(2), cluster.create_topic(1)
        cluster.produce(payments, [(1, b"a", b"1", NOON)])
        cluster.produce(refunds, [(0, b"a", b"1", NOON + 5)])
        table = PartitionTable()
        tail = opened(tail_of(cluster, {payments: "payments", refunds: "refunds"}, table=table))
        heard = read_until(tail, 2)
        rows, slot = heard.rows(), slots(table)
        one, other = rows[pack(slot[payments, 1], 0)], rows[pack(slot[refunds, 0], 0)]
        assert one[1:3] != other[1:3]
        assert one[3] == other[3]
        assert heard.records == {"payments": 1, "refunds": 1}
        assert {topic: stamp for read in heard.reads for topic, stamp in read.last_timestamp.items()} == {
            payments: NOON,
            refunds: NOON + 5,
        }

    def test_two_physical_topics_can_be_one_logical_topic(self, cluster: Cluster, tail_of: Tails):
        one, other = cluster.create_topic(1), cluster.create_topic(1)
        for topic in (one, other):
            cluster.produce(topic, [(0, b"a", b"1", NOON)])
        heard = read_until(opened(tail_of(cluster, {one: "payments", other: "payments"})), 2)
        assert len(set(heard.rows().values())) == 1
        assert heard.records == {"payments": 2}

    @pytest.mark.parametrize("max_records", [1, 7, 1000])
    def test_the_size_of_reads_changes_nothing(self, cluster: Cluster, tail_of: Tails, max_records: int):
        topic = cluster.create_topic(PARTITIONS)
        cluster.produce(topic, numbered(90))
        whole, table = PartitionTable(), PartitionTable()
        expected = read_to_end(opened(tail_of(cluster, {topic: "payments"}, table=whole)))
        heard = read_to_end(opened(tail_of(cluster, {topic: "payments"}, table=table)), max_records)
        assert all(len(read.batch) <= max_records for read in heard.reads)
        assert heard.rows() == expected.rows()
        assert heard.offsets() == expected.offsets()


class TestPositions:
    def test_at_the_end_they_equal_the_end_offsets(self, cluster: Cluster, tail_of: Tails):
        topic, table = cluster.create_topic(PARTITIONS), PartitionTable()
        cluster.produce(topic, numbered(10))
        tail = opened(tail_of(cluster, {topic: "payments"}, table=table))
        read_to_end(tail)
        ends = EndOffsets(settings_of(cluster))
        slot = slots(table)
        assert {slot[key]: end for key, end in ends.of_topics([topic]).items()} == tail.positions
        ends.close()

    def test_an_empty_partition_is_at_its_end(self, cluster: Cluster, tail_of: Tails):
        tail = opened(tail_of(cluster, {cluster.create_topic(2): "payments"}))
        assert tail.at_end == set()
        read_to_end(tail)
        assert tail.at_end == {0, 1}
        assert tail.positions == {0: 0, 1: 0}

    def test_a_new_record_takes_its_partition_from_the_end_until_the_end_is_met_again(
        self, cluster: Cluster, tail_of: Tails
    ):
        topic = cluster.create_topic(1)
        tail = opened(tail_of(cluster, {topic: "payments"}))
        read_to_end(tail)
        cluster.produce(topic, [(0, b"a", b"1"), (0, b"b", b"1")])
        read = tail.read(1, 5)
        assert read.records == {"payments": 1}
        assert tail.at_end == set()
        read_to_end(tail)
        assert tail.positions == {0: 2}

    def test_opening_again_changes_nothing(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(2)
        cluster.produce(topic, numbered(10, 2))
        tail = opened(tail_of(cluster, {topic: "payments"}))
        read_to_end(tail)
        opened(tail)
        assert (tail.positions, tail.at_end) == ({0: 5, 1: 5}, {0, 1})
        cluster.produce(topic, [(0, b"new", b"1")])
        assert read_until(tail, 1).offsets() == {0: [5]}

    def test_records_after_a_pause_are_read(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(2)
        tail = opened(tail_of(cluster, {topic: "payments"}))
        read_to_end(tail)
        cluster.produce(topic, numbered(10, 2))
        assert read_until(tail, 10).records == {"payments": 10}


class TestStarts:
    def test_earliest_from_offset_0_is_covered_from_the_beginning(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(3, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}))
        assert tail.beginnings == {0: Beginning(0, None)}

    def test_earliest_behind_a_moved_log_start_is_covered_since_the_first_record(
        self, cluster: Cluster, tail_of: Tails
    ):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5, 1))
        cluster.delete_records(topic, 0, 2)
        tail = opened(tail_of(cluster, {topic: "payments"}))
        assert tail.beginnings[0].provisional
        read_to_end(tail)
        assert tail.beginnings == {0: Beginning(2, NOON + 2000)}

    def test_latest_reads_only_what_comes(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(3, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}, Start("latest")))
        read_to_end(tail)
        cluster.produce(topic, [(0, b"new", b"1")])
        assert read_until(tail, 1).offsets() == {0: [3]}
        assert tail.beginnings[0].offset == 3
        assert abs((tail.beginnings[0].covered_since_ms or 0) - time.time_ns() // 1_000_000) < 60_000

    def test_a_moment_begins_with_the_first_record_not_older(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}, Start("timestamp", NOON + 1500)))
        heard = read_to_end(tail)
        expected = [2, 3, 4] if cluster.knows_times else []
        assert heard.offsets().get(0, []) == expected
        assert tail.beginnings == {0: Beginning(5 - len(expected), NOON + 1500)}

    def test_a_moment_after_the_last_record_begins_at_the_end(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}, Start("timestamp", NOON + 90_000)))
        assert tail.positions == {0: 5}

    def test_a_moment_before_the_first_record_of_a_whole_log_is_covered_from_the_beginning(
        self, cluster: Cluster, tail_of: Tails
    ):
        if not cluster.knows_times:
            return
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}, Start("timestamp", NOON - 1)))
        assert tail.beginnings == {0: Beginning(0, None)}


class TestTime:
    def test_an_idle_read_ends_with_its_timeout(self, cluster: Cluster, tail_of: Tails):
        tail = opened(tail_of(cluster, {cluster.create_topic(1): "payments"}))
        read_to_end(tail)
        began = time.monotonic()
        assert len(tail.read(100, 0.2).batch) == 0
        assert 0.1 < time.monotonic() - began < 2

    def test_a_rate_bounds_what_is_read(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(100, 1))
        tail = opened(tail_of(cluster, {topic: "payments"}, max_records_per_second=40))
        began = time.monotonic()
        assert read_until(tail, 100).records == {"payments": 100}
        assert time.monotonic() - began > 1.2


class TestReadOnly:
    def test_a_tail_leaves_no_trace(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(2)
        cluster.produce(topic, numbered(10, 2))
        cluster.begin_watch()
        tail = opened(tail_of(cluster, {topic: "payments"}))
        read_to_end(tail)
        EndOffsets(settings_of(cluster)).of_topics([topic])
        tail.close()
        assert cluster.traces() == set()


class TestTopics:
    def test_partitions_are_numbered_in_full(self, cluster: Cluster, tail_of: Tails):
        topic, table = cluster.create_topic(2), PartitionTable()
        opened(tail_of(cluster, {topic: "payments"}, table=table))
        ends = EndOffsets(settings_of(cluster))
        topic_id = ends.topic_ids([topic])[topic]
        assert (topic_id != topic) == cluster.answers_admin
        assert [(p.log, p.topic, p.logical_topic, p.number) for p in table.partitions] == [
            (2, topic, "payments", 0),
            (2, topic, "payments", 1),
        ]
        assert {(p.cluster_id, p.topic_id) for p in table.partitions} == {(ends.cluster_id(), topic_id)}

    def test_a_compacted_topic_is_known(self, cluster: Cluster, tail_of: Tails):
        topics = {cluster.create_topic(1): "a", cluster.create_topic(1, compacted=True): "b"}
        tail = opened(tail_of(cluster, topics))
        assert tail.compacted == ({1} if cluster.answers_admin else set())

    def test_an_absent_topic_may_still_come(self, cluster: Cluster, tail_of: Tails):
        with pytest.raises(TopicMissingError, match=r"^cluster 'a': topic 'absent': unknown_topic_or_part$"):
            tail_of(cluster, {"absent": "payments"}).open()
        with pytest.raises(TopicMissingError):
            EndOffsets(settings_of(cluster)).of_topics(["absent"])
