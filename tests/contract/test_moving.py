"""Topics that come, partitions that are added, logs whose start moves up, while they are read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from contract.clusters import Cluster, KafkaContractCluster, new_topic, settings_of
from contract.reading import opened, read_to_end, read_until, slots
from dupscope.kafka.errors import RetryableClusterError
from dupscope.kafka.offsets import EndOffsets, Ends
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.tail import Tail
from dupscope.model.position import PartitionTable
from support.waiting import wait_until

Tails = Callable[..., Tail]
NOON = 1_700_000_000_000


def numbered(count: int, partition: int = 0) -> list[tuple]:
    """Records with one second between them."""
    return [(partition, b"k%d" % i, b"v", NOON + 1000 * i) for i in range(count)]


class Family:
    """Topics that share a prefix which nobody else has."""

    def __init__(self) -> None:
        self.prefix = new_topic()

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def selection(self, **names: str) -> TopicSelection:
        """By pattern; the logical topic is what follows the prefix, and "other…" is not of the log."""
        pattern = re.compile(re.escape(self.prefix) + r"\..*")
        return TopicSelection({self.topic(name): to for name, to in names.items()}, (pattern,), self._logical)

    def _logical(self, topic: str) -> str | None:
        name = topic.removeprefix(f"{self.prefix}.")
        return None if name.startswith("other") else name


class TestPatterns:
    def test_topics_that_are_there_begin_at_the_start_and_later_ones_at_offset_0(
        self, cluster: Cluster, tail_of: Tails
    ):
        family, table = Family(), PartitionTable()
        a, b, other = family.topic("a"), family.topic("b"), family.topic("other")
        for topic in (a, other):
            cluster.create_named(topic, 1)
            cluster.produce(topic, numbered(4))
        tail = opened(tail_of(cluster, family.selection(), Start("latest"), table))
        assert tail.topics == {a: "a"}
        assert tail.positions == {0: 4}
        cluster.create_named(b, 2)
        cluster.produce(b, numbered(3, 1))
        cluster.produce(a, numbered(1))
        self._takes_up(tail, b)
        heard = read_until(tail, 4)
        slot = slots(table)
        assert tail.topics == {a: "a", b: "b"}
        assert heard.offsets() == {slot[a, 0]: [4], slot[b, 1]: [0, 1, 2]}
        assert heard.records == {"a": 1, "b": 3}
        assert tail.beginnings[slot[b, 0]] == Beginning(0, None)
        assert heard.holes == []

    def test_none_may_be_there_at_first(self, cluster: Cluster, tail_of: Tails):
        family = Family()
        tail = opened(tail_of(cluster, family.selection(), Start("latest")))
        assert len(tail.read(10, 0.05).batch) == 0
        assert (tail.topics, tail.positions, tail.at_end) == ({}, {}, set())
        cluster.create_named(family.topic("a"), 1)
        cluster.produce(family.topic("a"), numbered(3))
        self._takes_up(tail, family.topic("a"))
        assert read_until(tail, 3).offsets() == {0: [0, 1, 2]}
        assert tail.beginnings == {0: Beginning(0, None)}
        assert tail.knows_ids is cluster.answers_admin

    def test_a_named_topic_goes_before_the_pattern(self, cluster: Cluster, tail_of: Tails):
        family = Family()
        for name in ("a", "b"):
            cluster.create_named(family.topic(name), 1)
        tail = opened(tail_of(cluster, family.selection(b="payments")))
        assert tail.topics == {family.topic("a"): "a", family.topic("b"): "payments"}

    def test_end_offsets_find_what_is_there_then(self, cluster: Cluster, tail_of: Tails):
        family = Family()
        a, b = family.topic("a"), family.topic("b")
        ends = EndOffsets(settings_of(cluster))
        assert ends.high_watermarks(family.selection()) == Ends({}, {})
        for topic in (a, b, family.topic("other")):
            cluster.create_named(topic, 1)
        cluster.produce(b, numbered(2))
        tail = opened(tail_of(cluster, family.selection()))
        found = ends.high_watermarks(family.selection())
        assert found == Ends({(a, 0): 0, (b, 0): 2}, tail.topic_ids)
        ends.close()

    @staticmethod
    def _takes_up(tail: Tail, topic: str) -> None:
        wait_until(lambda: opened(tail).topics.get(topic), 20, "the topic is taken up")


@pytest.mark.kafka
class TestGrowth:
    def test_added_partitions_begin_at_offset_0(self, kafka_cluster: KafkaContractCluster, tail_of: Tails):
        topic, table = kafka_cluster.create_topic(1), PartitionTable()
        kafka_cluster.produce(topic, numbered(5))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, Start("latest"), table))
        kafka_cluster.grow(topic, 3)
        kafka_cluster.produce(topic, numbered(4, 2))
        wait_until(lambda: len(opened(tail).positions) == 3, 20, "the partitions are taken up")
        assert read_until(tail, 4).offsets() == {2: [0, 1, 2, 3]}
        assert tail.beginnings[1] == tail.beginnings[2] == Beginning(0, None)
        assert (tail.retired, tail.positions[0]) == (set(), 5)

    def test_end_offsets_show_them(self, kafka_cluster: KafkaContractCluster):
        topic, ends = kafka_cluster.create_topic(1), EndOffsets(settings_of(kafka_cluster))
        kafka_cluster.grow(topic, 2)

        def shown() -> bool:
            try:
                found = ends.high_watermarks(TopicSelection({topic: "payments"}))
            except RetryableClusterError:
                return False
            return found.offsets == {(topic, 0): 0, (topic, 1): 0}

        wait_until(shown, 20, "both partitions are told")
        ends.close()


class TestLogStart:
    def test_below_the_position_nothing_is_lost(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(9))
        tail = opened(tail_of(cluster, {topic: "payments"}))
        read_to_end(tail)
        cluster.delete_records(topic, 0, 9)
        tail.watch_starts()
        cluster.produce(topic, numbered(2))
        heard = read_until(tail, 2)
        assert (heard.offsets(), heard.holes) == ({0: [9, 10]}, [])
        assert tail.beginnings == {0: Beginning(0, None)}

    def test_above_the_position_reading_goes_on_there_and_a_hole_is_told(
        self, cluster: Cluster, tail_of: Tails
    ):
        topic, table = cluster.create_topic(2), PartitionTable()
        cluster.produce(topic, [*numbered(9), *numbered(9, 1)])
        tail = opened(tail_of(cluster, {topic: "payments"}, table=table))
        tail.read(1, 20)
        read = tail.positions
        cluster.delete_records(topic, 0, 6)
        tail.watch_starts()
        assert tail.positions == {0: 6, 1: read[1]}
        assert tail.beginnings[0].provisional
        heard = read_to_end(tail)
        assert heard.holes == [(0, "log_start_moved")]
        assert heard.offsets() == {0: [6, 7, 8], 1: list(range(read[1], 9))}
        assert tail.beginnings == {0: Beginning(6, NOON + 6000), 1: Beginning(0, None)}

    def test_told_once(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(9))
        tail = opened(tail_of(cluster, {topic: "payments"}))
        cluster.delete_records(topic, 0, 6)
        tail.watch_starts()
        tail.watch_starts()
        assert read_to_end(tail).holes == [(0, "log_start_moved")]
