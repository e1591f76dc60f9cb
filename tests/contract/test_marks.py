"""What a read tells of records beside their columns: replays that they admit to, gaps of compacted logs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.clusters import Cluster, KafkaContractCluster
from contract.compaction import NOON, compacted_topic, stamped
from contract.reading import opened, read_to_end, read_until
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.starts import Start
from dupscope.kafka.tail import Tail
from dupscope.model.batch import Gap
from support.waiting import wait_until

Tails = Callable[..., Tail]
MARKS = RedriveMarks(frozenset({"x-redrive"}), "producer", frozenset({"replayer"}))


class TestRedriven:
    ROWS = (
        (0, b"a", b"v", NOON, [("x-redrive", b"1")]),
        (0, b"b", b"v", NOON, None),
        (0, None, b"v", NOON, [("x-redrive", b"1")]),
        (0, b"c", b"v", NOON, [("producer", b"replayer"), ("trace", None)]),
        (0, b"d", b"v", NOON, [("producer", b"app")]),
    )

    def test_marked_records_are_told(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, self.ROWS)
        tail = opened(tail_of(cluster, {topic: "payments"}, redrive=MARKS))
        heard = read_to_end(tail)
        marks = [
            bool(mark)
            for read in heard.reads
            for mark in (
                read.batch.redriven if read.batch.redriven is not None else [False] * len(read.batch)
            )
        ]
        assert heard.offsets() == {0: [0, 1, 3, 4]}
        assert marks == [True, False, True, False]
        assert heard.unkeyed == {("payments", "null_key"): 1}

    def test_without_a_mark_nothing_is_told(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, self.ROWS)
        heard = read_to_end(opened(tail_of(cluster, {topic: "payments"})))
        assert {read.batch.redriven for read in heard.reads} == {None}

    def test_where_no_record_has_one_nothing_is_told(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, [row[:4] for row in self.ROWS])
        heard = read_to_end(opened(tail_of(cluster, {topic: "payments"}, redrive=MARKS)))
        assert {read.batch.redriven for read in heard.reads} == {None}


@pytest.mark.kafka
class TestGaps:
    """Offsets 0-9 of ten keys, 10-14 of the first five again: compaction takes 0-4."""

    KEYS = (*range(10), *range(5))

    @pytest.fixture
    def topic(self, kafka_cluster: KafkaContractCluster, tail_of: Tails) -> str:
        """Compacted up to its active segment, which holds offset 15 only."""
        topic = compacted_topic(kafka_cluster)
        kafka_cluster.produce(topic, [stamped(at, b"k%d" % key) for at, key in enumerate(self.KEYS)])
        rolled = iter(range(15, 1000))

        def compacted() -> bool:
            """A record rolls the segment, once its time has come."""
            kafka_cluster.produce(topic, [stamped(next(rolled), b"roll")])
            tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
            return read_to_end(tail).offsets()[0][0] == 5

        wait_until(compacted, 60, "the log was compacted")
        return topic

    def expected(self, offsets: list[int]) -> list[Gap]:
        """Gaps that go with the offsets that were read, by a plain loop."""
        gaps, after, stamp = [], 0, 0
        for offset in offsets:
            if offset > after:
                gaps.append(Gap(0, after, offset, stamp, NOON + 1000 * offset))
            after, stamp = offset + 1, NOON + 1000 * offset
        return gaps

    @pytest.mark.parametrize("max_records", [1, 1000])
    def test_spans_without_a_record_are_told(
        self, kafka_cluster: KafkaContractCluster, topic: str, tail_of: Tails, max_records: int
    ):
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        heard = read_to_end(tail, max_records)
        assert tail.compacted == {0}
        assert heard.gaps[0] == Gap(0, 0, 5, 0, NOON + 5000)
        assert heard.gaps == self.expected(heard.offsets()[0])

    def test_a_topic_that_becomes_compacted_is_seen_at_the_next_open(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails
    ):
        topic = kafka_cluster.create_topic(1)
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        assert tail.compacted == set()
        kafka_cluster.configure(topic, {"cleanup.policy": "compact"})
        wait_until(lambda: opened(tail).compacted == {0}, 20, "the policy is seen")
        kafka_cluster.configure(topic, {"cleanup.policy": "delete"})
        wait_until(lambda: opened(tail).compacted == set(), 20, "the policy is seen")

    def test_a_log_that_is_not_compacted_has_none(self, kafka_cluster: KafkaContractCluster, tail_of: Tails):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, [(0, b"a", b"v")] * 5)
        kafka_cluster.delete_records(topic, 0, 3)
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, Start("earliest")))
        assert read_until(tail, 2).gaps == []
