"""Topics that are deleted and created again while they are read, on a real broker: mock ones have no ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.clusters import KafkaContractCluster
from contract.reading import Heard, opened, read_to_end, read_until, slots
from dupscope.kafka.errors import TopicMissingError
from dupscope.kafka.starts import Beginning
from dupscope.kafka.tail import Tail
from dupscope.model.position import PartitionTable
from support.waiting import wait_until

pytestmark = pytest.mark.kafka
Tails = Callable[..., Tail]


def keyed(count: int, letter: str = "k", partition: int = 0) -> list[tuple]:
    return [(partition, f"{letter}{i}".encode(), b"v") for i in range(count)]


def read_while(tail: Tail, condition: Callable[[Heard], bool], what: str) -> Heard:
    """Read until something is true of all that was heard."""
    heard = Heard()

    def done() -> bool:
        heard.add(tail.read(1000, 0.05))
        return condition(heard)

    wait_until(done, 60, what, poll=0)
    return heard


def ids(tail: Tail) -> dict[str, str]:
    return dict(tail.topic_ids)


class TestCreatedAgain:
    @pytest.mark.parametrize("count", [3, 10, 40], ids=["fewer", "equal", "more"])
    def test_records_of_the_new_topic_come_from_its_start_and_under_new_slots(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, count: int
    ):
        topic, table = kafka_cluster.create_topic(1), PartitionTable()
        kafka_cluster.produce(topic, keyed(10, "old"))
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, table=table))
        read_to_end(tail)
        before = ids(tail)
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, keyed(count, "new"))
        wait_until(lambda: _takes_up(tail), 20, "the tail opens")
        heard = read_while(tail, lambda heard: heard.records.total() >= count, "the new topic was read")
        assert heard.offsets() == {1: list(range(count))}
        assert heard.holes == [(0, "topic_recreated")]
        assert (tail.retired, tail.positions, tail.slots) == ({0}, {1: count}, {(topic, 0): 1})
        assert ids(tail)[topic] != before[topic]
        assert table[1].topic_id == ids(tail)[topic]
        assert tail.beginnings[1] == Beginning(0, None)
        assert tail.beginnings[0].offset == 10
        assert tail.beginnings[0].covered_since_ms is not None


def _takes_up(tail: Tail) -> bool:
    try:
        tail.open()
    except TopicMissingError:
        return False
    return True


class TestNoticedByReading:
    @pytest.mark.parametrize("count", [3, 40], ids=["fewer", "more"])
    def test_without_being_opened_again(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, count: int
    ):
        topic, other, table = kafka_cluster.create_topic(2), kafka_cluster.create_topic(1), PartitionTable()
        kafka_cluster.produce(topic, keyed(10, "old"))
        kafka_cluster.produce(other, keyed(5))
        tail = opened(tail_of(kafka_cluster, {topic: "payments", other: "refunds"}, table=table))
        read_until(tail, 15)
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, keyed(count, "new"))
        heard = read_while(tail, lambda heard: heard.records["payments"] >= count, "the new topic was read")
        slot = slots(table)
        assert heard.offsets() == {slot[topic, 0]: list(range(count))}
        assert sorted(heard.holes) == [(0, "topic_recreated"), (1, "topic_recreated")]
        assert tail.positions == {slot[other, 0]: 5, slot[topic, 0]: count}
        kafka_cluster.produce(other, keyed(2))
        assert read_until(tail, 2).offsets() == {slot[other, 0]: [5, 6]}
