"""Clusters that the reader's contract runs on: the same few verbs, on mock brokers and on a real one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType

from dupscope.kafka.settings import ClusterSettings
from support.broker import Broker
from support.mock import MockCluster
from support.waiting import wait_until

WRITES = {0: "Produce", 8: "OffsetCommit", 11: "JoinGroup", 12: "Heartbeat", 19: "CreateTopics"} | {
    14: "SyncGroup",
    22: "InitProducerId",
    68: "ConsumerGroupHeartbeat",
}
"""Requests that leave a trace on a cluster."""


class Cluster(Protocol):
    answers_admin: bool
    """It also tells topic ids then."""
    knows_times: bool

    @property
    def bootstrap_servers(self) -> str: ...

    def create_topic(self, partitions: int, *, compacted: bool = False) -> str:
        """A new topic of a name that no other test has."""

    def create_named(self, topic: str, partitions: int) -> None:
        """A new topic of that name."""

    def produce(self, topic: str, records: Iterable[tuple]) -> None:
        """Append (partition, key, value[, timestamp ms[, headers]])."""

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Move the log start up."""

    def begin_watch(self) -> None:
        """Forget what was done to the cluster so far."""

    def traces(self) -> set[str]:
        """What readers left behind since the watch began."""


def new_topic() -> str:
    return f"topic-{uuid.uuid4().hex[:12]}"


def settings_of(cluster: Cluster, **properties: str) -> ClusterSettings:
    return ClusterSettings("a", {"bootstrap.servers": cluster.bootstrap_servers, **properties})


def gated(cluster: KafkaContractCluster) -> ClusterSettings:
    """A client that connects through the broker's gate and waits for an answer for a moment only."""
    return ClusterSettings("a", {"bootstrap.servers": cluster.broker.gate.bootstrap}, 2.0)


class MockContractCluster:
    answers_admin = False
    knows_times = False

    def __init__(self) -> None:
        self.mock = MockCluster()

    @property
    def bootstrap_servers(self) -> str:
        return self.mock.bootstrap_servers

    def create_topic(self, partitions: int, *, compacted: bool = False) -> str:
        topic = new_topic()
        self.mock.create_topic(topic, partitions)
        return topic

    def create_named(self, topic: str, partitions: int) -> None:
        self.mock.create_topic(topic, partitions)

    def produce(self, topic: str, records: Iterable[tuple]) -> None:
        self.mock.produce(topic, records)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        self.mock.delete_records(topic, partition, before)

    def begin_watch(self) -> None:
        self.mock.track_requests()

    def traces(self) -> set[str]:
        return {WRITES[kind] for kind in self.mock.requests() if kind in WRITES}

    def close(self) -> None:
        self.mock.close()


class QuickCleaner(Broker):
    """A broker that compacts without waiting."""

    def _properties(self) -> dict[str, object]:
        return super()._properties() | {
            "log.cleaner.backoff.ms": 100,
            "log.retention.ms": -1,
            "auto.create.topics.enable": "true",
        }


class KafkaContractCluster:
    answers_admin = True
    knows_times = True

    def __init__(self, folder: Path) -> None:
        self.broker = QuickCleaner("contract", folder)
        self._groups: set[str] = set()
        try:
            self.broker.start()
            self.broker.wait_ready()
        except BaseException:
            self.broker.close()
            raise

    @property
    def bootstrap_servers(self) -> str:
        return self.broker.bootstrap

    def create_topic(self, partitions: int, *, compacted: bool = False) -> str:
        topic = new_topic()
        self.broker.create_topic(topic, partitions, {"cleanup.policy": "compact"} if compacted else None)
        return topic

    def create_named(self, topic: str, partitions: int) -> None:
        self.broker.create_topic(topic, partitions)

    def grow(self, topic: str, partitions: int) -> None:
        """Let a topic have so many partitions."""
        admin = self.broker.admin()
        admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(20)

    def configure(self, topic: str, config: dict[str, str]) -> None:
        """Set some of a topic's properties."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        admin = self.broker.admin()
        admin.incremental_alter_configs([resource])[resource].result(20)

    def delete_topic(self, topic: str) -> None:
        """Returns when the broker no longer knows it."""
        admin = self.broker.admin()
        admin.delete_topics([topic])[topic].result(20)
        wait_until(lambda: topic not in self._listed(), 20, "the topic is gone")

    def create_again(self, topic: str, partitions: int) -> None:
        """Delete a topic and create another one of the same name."""
        self.delete_topic(topic)
        self.create_named(topic, partitions)

    def _listed(self) -> set[str]:
        return set(self.broker.admin().list_topics(timeout=10).topics)

    def produce(self, topic: str, records: Iterable[tuple]) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "linger.ms": 1})
        append(producer, topic, records)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        where = TopicPartition(topic, partition, before)
        admin = self.broker.admin()  # its requests die with it
        admin.delete_records([where])[where].result(20)

    def begin_watch(self) -> None:
        self._groups = self._known_groups()

    def traces(self) -> set[str]:
        return self._known_groups() - self._groups

    def close(self) -> None:
        self.broker.close()

    def _known_groups(self) -> set[str]:
        admin = self.broker.admin()
        listed = admin.list_consumer_groups(request_timeout=20).result(21)
        return {group.group_id for group in listed.valid}


def append(producer: Producer, topic: str, records: Iterable[tuple]) -> None:
    for partition, key, value, *rest in records:
        timestamp, headers = (*rest, None, None)[:2]
        extra = {} if timestamp is None else {"timestamp": timestamp}
        producer.produce(topic, value, key, partition, headers=headers, **extra)
    assert producer.flush(30) == 0
