"""A real cluster of two brokers: each partition has a copy on both, and its leader can move."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import ClusterMetadata, NewTopic

from support.broker import Broker
from support.running import Running
from support.waiting import wait_until

MOVED_SECONDS = 60


class Second(Broker):
    """A broker that belongs to the cluster of another, which is its controller."""

    _role = "--no-initial-controllers"

    def __init__(self, name: str, folder: Path, first: Broker) -> None:
        listener = "PLAINTEXT://127.0.0.1:{}"
        super().__init__(name, folder)
        self.cluster_id = first.cluster_id
        self._extra = {
            "process.roles": "broker",
            "node.id": 2,
            "controller.quorum.bootstrap.servers": first.controller,
            "listeners": listener.format(self.port),
            "advertised.listeners": listener.format(self.port),
            **QUICK,
        }


QUICK = {"broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500}


class Pair(Running):
    """The first broker stays; the second is killed and restarted."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__()
        self.first = Broker(name, folder / "first", QUICK)
        self.second = Second(name, folder / "second", self.first)
        for broker in (self.first, self.second):
            self._running.callback(broker.close)
            broker.start()
            broker.wait_ready()
        self._admin = self.first.admin()

    @property
    def bootstrap(self) -> str:
        return f"{self.first.bootstrap},{self.second.bootstrap}"

    def create_topic(self, topic: str, partitions: int) -> None:
        """A topic of which every partition lies on both brokers."""
        new = NewTopic(topic, num_partitions=partitions, replication_factor=2)
        wait_until(lambda: len(self._metadata().brokers) == 2, MOVED_SECONDS, "both brokers are there")
        self._admin.create_topics([new])[topic].result(20)

    def leaders(self, topic: str) -> set[int]:
        """The brokers that lead any of a topic's partitions."""
        return {one.leader for one in self._metadata().topics[topic].partitions.values()}

    def kill_second(self, topic: str) -> None:
        """kill -9 the second broker; returns when the first leads every partition."""
        self.second.kill()
        wait_until(lambda: self.leaders(topic) == {1}, MOVED_SECONDS, "the first broker leads", poll=0.2)

    def restart_second(self, topic: str) -> None:
        """Start it again; returns when it leads its partitions as before."""
        self.second.restart()
        self.second.wait_ready()
        wait_until(lambda: self._in_sync(topic), MOVED_SECONDS, "both brokers are in sync", poll=0.2)
        partitions = [TopicPartition(topic, number) for number in self._metadata().topics[topic].partitions]
        self._admin.elect_leaders(ElectionType.PREFERRED, partitions).result(20)
        wait_until(lambda: self.leaders(topic) == {1, 2}, MOVED_SECONDS, "both brokers lead", poll=0.2)

    def _in_sync(self, topic: str) -> bool:
        partitions = self._metadata().topics[topic].partitions.values()
        return all(len(one.isrs) == 2 for one in partitions)

    def _metadata(self) -> ClusterMetadata:
        """As some broker tells it; while one has just died, the client may ask that one first."""
        return wait_until(self._asked, MOVED_SECONDS, "a broker tells the metadata")

    def _asked(self) -> ClusterMetadata | None:
        try:
            return self._admin.list_topics(timeout=10)
        except KafkaException:
            return None
