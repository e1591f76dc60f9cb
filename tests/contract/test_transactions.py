"""Committed reads, on a real broker: mock brokers show every transaction as committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from contract.clusters import KafkaContractCluster, append, settings_of
from contract.reading import opened, read_to_end, read_until
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.starts import Start
from dupscope.kafka.tail import Tail
from support.waiting import wait_until

pytestmark = pytest.mark.kafka
Tails = Callable[..., Tail]


@pytest.fixture
def topic(kafka_cluster: KafkaContractCluster) -> str:
    name = kafka_cluster.create_topic(1)
    kafka_cluster.produce(name, [(0, b"a", b"1")])
    return name


@pytest.fixture
def producer(kafka_cluster: KafkaContractCluster, topic: str) -> Producer:
    made = Producer({"bootstrap.servers": kafka_cluster.bootstrap_servers, "transactional.id": topic})
    made.init_transactions(20)
    return made


@pytest.fixture
def ends(kafka_cluster: KafkaContractCluster) -> Iterator[EndOffsets]:
    made = EndOffsets(settings_of(kafka_cluster))
    yield made
    made.close()


class TestOpenTransaction:
    def test_the_position_stays_below_the_high_watermark(
        self,
        kafka_cluster: KafkaContractCluster,
        topic: str,
        producer: Producer,
        ends: EndOffsets,
        tail_of: Tails,
    ):
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        producer.begin_transaction()
        append(producer, topic, [(0, b"b", b"1")] * 3)
        assert read_to_end(tail).records == {"payments": 1}
        assert (tail.positions, tail.at_end) == ({0: 1}, {0})
        assert ends.of_topics([topic]) == {(topic, 0): 4}

    def test_latest_begins_at_the_last_stable_offset(
        self, kafka_cluster: KafkaContractCluster, topic: str, producer: Producer, tail_of: Tails
    ):
        producer.begin_transaction()
        append(producer, topic, [(0, b"b", b"1")] * 3)
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}, Start("latest")))
        assert tail.positions == {0: 1}
        producer.commit_transaction(20)
        assert read_until(tail, 3).offsets() == {0: [1, 2, 3]}


class TestEndedTransaction:
    def test_aborted_records_and_their_marker_are_passed_and_never_seen(
        self,
        kafka_cluster: KafkaContractCluster,
        topic: str,
        producer: Producer,
        ends: EndOffsets,
        tail_of: Tails,
    ):
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        producer.begin_transaction()
        append(producer, topic, [(0, b"b", b"1")] * 3)
        read_to_end(tail)
        producer.abort_transaction(20)

        def passed() -> bool:
            assert not tail.read(100, 0.05).records
            return tail.positions == {0: 5}

        wait_until(passed, 20, "the aborted transaction was passed", poll=0)
        assert ends.of_topics([topic]) == {(topic, 0): 5}

    def test_a_commit_marker_is_passed(
        self, kafka_cluster: KafkaContractCluster, topic: str, producer: Producer, tail_of: Tails
    ):
        tail = opened(tail_of(kafka_cluster, {topic: "payments"}))
        producer.begin_transaction()
        append(producer, topic, [(0, b"b", b"1")])
        producer.commit_transaction(20)
        assert read_until(tail, 2).offsets() == {0: [0, 1]}
        wait_until(
            lambda: tail.read(1, 0.05) and tail.positions == {0: 3}, 20, "the marker was passed", poll=0
        )
