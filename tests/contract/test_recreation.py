"""Topics that are deleted and created again while they are read, on a real broker: mock ones have no ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from contract.clusters import Cluster, KafkaContractCluster, gated, settings_of
from contract.reading import ENOUGH_SECONDS, Heard, opened, read_to_end, read_until, read_while, slots
from dupscope.kafka.errors import RetryableClusterError, TopicMissingError
from dupscope.kafka.offsets import EndOffsets, Ends
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.starts import Beginning
from dupscope.kafka.tail import Tail
from dupscope.model.position import PartitionTable
from support.waiting import wait_until

Tails = Callable[..., Tail]
on_kafka = pytest.mark.kafka


def keyed(count: int, letter: str = "k", partition: int = 0) -> list[tuple]:
    return [(partition, f"{letter}{i}".encode(), b"v") for i in range(count)]


@pytest.fixture
def ends(kafka_cluster: KafkaContractCluster) -> Iterator[EndOffsets]:
    made = EndOffsets(settings_of(kafka_cluster))
    yield made
    made.close()


def watermarks(ends: EndOffsets, *topics: str) -> Ends:
    """As soon as the brokers know the leaders of a topic that was just created."""

    def attempt() -> Ends | None:
        try:
            return ends.high_watermarks(TopicSelection(dict.fromkeys(topics, "payments")))
        except RetryableClusterError:
            return None

    found = wait_until(attempt, ENOUGH_SECONDS, "the end offsets are told")
    assert found is not None
    return found


class TestIds:
    def test_a_tail_and_end_offsets_tell_the_same(self, cluster: Cluster, tail_of: Tails):
        topic = cluster.create_topic(2)
        cluster.produce(topic, keyed(3))
        tail = opened(tail_of(cluster, {topic: "payments"}))
        ends = EndOffsets(settings_of(cluster))
        found = ends.high_watermarks(TopicSelection({topic: "payments"}))
        assert found == Ends({(topic, 0): 3, (topic, 1): 0}, tail.topic_ids)
        assert tail.knows_ids is cluster.answers_admin
        assert (tail.topic_ids != {topic: topic}) is tail.knows_ids
        ends.close()


@on_kafka
class TestCreatedAgain:
    @pytest.mark.parametrize("count", [3, 10, 40], ids=["fewer", "as many", "more"])
    def test_records_of_the_new_topic_come_from_its_start_under_new_slots(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, count: int
    ):
        topic, table = kafka_cluster.create_topic(1), PartitionTable()
        kafka_cluster.produce(topic, keyed(10, "old"))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, table=table))
        read_to_end(tail)
        before = tail.topic_ids
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, keyed(count, "new"))
        opened(tail)
        heard = read_until(tail, count)
        assert heard.offsets() == {1: list(range(count))}
        assert heard.holes == [(0, "topic_recreated")]
        assert (tail.retired, tail.positions, tail.slots) == ({0}, {1: count}, {(topic, 0): 1})
        assert tail.topic_ids != before
        assert table[1].topic_id == tail.topic_ids[topic]
        assert tail.beginnings[1] == Beginning(0, None)
        assert tail.beginnings[0].offset == 10
        assert tail.beginnings[0].covered_since_ms is not None

    @pytest.mark.parametrize("count", [3, 40], ids=["fewer", "more"])
    def test_reading_notices_by_itself_and_disturbs_no_other_topic(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, count: int
    ):
        topic, other, table = kafka_cluster.create_topic(2), kafka_cluster.create_topic(1), PartitionTable()
        kafka_cluster.produce(topic, keyed(10, "old"))
        kafka_cluster.produce(other, keyed(5))
        tail = opened(tail_of(kafka_cluster, {topic: "payments", other: "refunds"}, table=table))
        read_until(tail, 15)
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, keyed(count, "new"))
        heard = read_while(tail, lambda heard: heard.records["payments"] >= count, "the new topic is read")
        slot = slots(table)
        assert heard.offsets() == {slot[topic, 0]: list(range(count))}
        assert sorted(heard.holes) == [(0, "topic_recreated"), (1, "topic_recreated")]
        assert tail.positions == {slot[other, 0]: 5, slot[topic, 0]: count}
        kafka_cluster.produce(other, keyed(2))
        assert read_until(tail, 2).offsets() == {slot[other, 0]: [5, 6]}

    def test_end_offsets_come_with_the_new_id(
        self, kafka_cluster: KafkaContractCluster, ends: EndOffsets, tail_of: Tails
    ):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, keyed(10))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        assert watermarks(ends, topic) == Ends({(topic, 0): 10}, tail.topic_ids)
        kafka_cluster.create_again(topic, 2)
        kafka_cluster.produce(topic, keyed(4))
        found = watermarks(ends, topic)
        assert found.offsets == {(topic, 0): 4, (topic, 1): 0}
        assert found.ids != tail.topic_ids
        opened(tail)
        assert found.ids == tail.topic_ids

    def test_again_and_again(self, kafka_cluster: KafkaContractCluster, tail_of: Tails):
        topic = kafka_cluster.create_topic(1)
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        for count in (4, 9, 2):
            kafka_cluster.produce(topic, keyed(count))
            read_while(tail, lambda heard, count=count: heard.records.total() >= count, "all is read")
            kafka_cluster.create_again(topic, 1)
        opened(tail)
        assert (tail.retired, tail.positions) == ({0, 1, 2}, {3: 0})
        assert [tail.beginnings[slot].offset for slot in range(4)] == [4, 9, 2, 0]


@on_kafka
class TestDeleted:
    def test_a_topic_that_is_gone_is_told_and_everything_else_goes_on(
        self, kafka_cluster: KafkaContractCluster, ends: EndOffsets, tail_of: Tails
    ):
        topic, other = kafka_cluster.create_topic(1), kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, keyed(10))
        tail = opened(tail_of(kafka_cluster, {topic: "payments", other: "refunds"}))
        read_until(tail, 10)
        kafka_cluster.delete_topic(topic)
        kafka_cluster.produce(other, keyed(5))
        heard = read_until(tail, 5)
        assert (tail.positions, tail.retired, heard.holes) == ({0: 10, 1: 5}, set(), [])
        with pytest.raises(TopicMissingError):
            tail.open()
        with pytest.raises(TopicMissingError):
            ends.high_watermarks(TopicSelection({topic: "payments", other: "refunds"}))

    def test_it_may_come_back(self, kafka_cluster: KafkaContractCluster, tail_of: Tails):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, keyed(10))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        read_to_end(tail)
        kafka_cluster.delete_topic(topic)
        with pytest.raises(TopicMissingError):
            tail.open()
        assert (tail.positions, tail.retired) == ({0: 10}, set())
        kafka_cluster.create_named(topic, 1)
        kafka_cluster.produce(topic, keyed(2))
        opened(tail)
        assert read_until(tail, 2).offsets() == {1: [0, 1]}


@on_kafka
class TestUnconfirmed:
    """What was fetched is withheld while nobody answers which incarnation it came from."""

    @pytest.fixture
    def gate(self, kafka_cluster: KafkaContractCluster):
        yield kafka_cluster.broker.gate
        kafka_cluster.broker.gate.bytes_per_second = None

    @staticmethod
    def withheld(tail: Tail, gate) -> Heard:
        """Read one record of a batch, cut off the broker's answers, read on."""
        heard = Heard([tail.read(1, ENOUGH_SECONDS)])
        assert heard.offsets() == {0: [0]}
        gate.bytes_per_second = 30
        for _ in range(2):
            read = tail.read(1000, 0.2)
            assert (len(read.batch), read.records, read.errors["unreachable"]) == (0, {}, 1)
        assert tail.positions == {0: 1}
        return heard

    def recreated(self, kafka_cluster: KafkaContractCluster, tail_of: Tails, gate) -> Tail:
        """A tail that withholds records of a topic while that is created again; it is answered again."""
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, keyed(20, "old"))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, reach=gated(kafka_cluster)))
        self.withheld(tail, gate)
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, keyed(30, "new"))
        gate.bytes_per_second = None
        return tail

    def test_nothing_is_lost(self, kafka_cluster: KafkaContractCluster, tail_of: Tails, gate):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, keyed(20))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, reach=gated(kafka_cluster)))
        self.withheld(tail, gate)
        tail.watch_starts()
        gate.bytes_per_second = None
        heard = read_while(tail, lambda heard: heard.records.total() >= 19, "the rest comes")
        assert heard.offsets() == {0: list(range(1, 20))}
        assert (heard.holes, tail.positions) == ([], {0: 20})

    def test_nothing_of_an_incarnation_that_is_over_comes_out(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, gate
    ):
        tail = self.recreated(kafka_cluster, tail_of, gate)
        heard = read_while(tail, lambda heard: heard.records.total() >= 30, "the new topic is read")
        assert heard.offsets() == {1: list(range(30))}
        assert heard.holes == [(0, "topic_recreated")]
        assert tail.beginnings[0].offset == 1

    def test_opening_again_meanwhile_does_not_let_it_out(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, gate
    ):
        tail = self.recreated(kafka_cluster, tail_of, gate)
        opened(tail)
        heard = read_until(tail, 30)
        assert heard.offsets() == {1: list(range(30))}
        assert tail.positions == {1: 30}
