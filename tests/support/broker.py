"""A real one-broker Kafka cluster (KRaft) on loopback."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from support import java
from support.gate import Gate
from support.process import LoggedProcess
from support.waiting import wait_until

START_SECONDS = 60

AT_ONCE = {
    "log.initial.task.delay.ms": 500,
    "log.retention.check.interval.ms": 500,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
    "log.segment.delete.delay.ms": 500,
}
"""Retention and compaction come within a second or two where a topic asks for them; none does by itself."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on; all held open until the last is found, so they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listening(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def new_cluster_id() -> str:
    """An id as brokers take it. One that begins with a dash would be read as an option."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return "A" + cluster[1:] if cluster.startswith("-") else cluster


class Broker:
    """One broker that is its own controller. Everything it writes lies under `folder`.

    Clients that begin at `gate.bootstrap` are told to come back there: all they do goes through the gate.
    `extra` has properties of the server beyond the usual ones, or in their place.
    """

    _role = "--standalone"

    def __init__(self, name: str, folder: Path, extra: Mapping[str, object] | None = None) -> None:
        self.name = name
        self.folder = folder
        self._extra = dict(extra or {})
        self.gate = Gate()
        self.port, self._controller_port, self._gated_port = free_ports(3)
        self._process: LoggedProcess | None = None
        self.cluster_id = new_cluster_id()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> str:
        """Where it is a controller."""
        return f"127.0.0.1:{self._controller_port}"

    def start(self) -> None:
        """Format the storage and start; returns before the broker listens."""
        self.folder.mkdir(parents=True)
        properties = java.write_properties(self.folder / "server.properties", self._properties())
        arguments = ("format", self._role, "-t", self.cluster_id, "-c", str(properties))
        java.run(self.folder / "format.log", "kafka.tools.StorageTool", *arguments)
        self._process = java.daemon(self.folder / "broker.log", "kafka.Kafka", str(properties))
        self._process.start()
        self.gate.open(self._gated_port)

    def kill(self) -> None:
        """kill -9. What was acknowledged lies in its files."""
        assert self._process is not None, "not started"
        self._process.kill()

    def restart(self) -> None:
        """Start again after a kill, with the same files and ports; returns before the broker listens."""
        assert self._process is not None, "not started"
        self._process.start()

    def wait_ready(self) -> None:
        process = self._process
        assert process is not None
        wait_until(
            lambda: process.assert_running() and listening(self.port), START_SECONDS, f"{self.name} listens"
        )
        wait_until(self._answers, START_SECONDS, f"{self.name} answers")

    def create_topic(self, topic: str, partitions: int, config: dict[str, str] | None = None) -> None:
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config or {})
        admin = self.admin()
        admin.create_topics([new])[topic].result(20)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic; returns when its name is free again."""
        admin = self.admin()
        admin.delete_topics([topic])[topic].result(20)
        wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, f"{topic} is gone")

    def add_partitions(self, topic: str, count: int) -> None:
        """Give a topic `count` partitions in all."""
        admin = self.admin()
        admin.create_partitions([NewPartitions(topic, count)])[topic].result(20)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> None:
        """Move the log start of partitions up to the offsets `before`, by number."""
        admin = self.admin()
        starts = [TopicPartition(topic, number, offset) for number, offset in before.items()]
        for future in admin.delete_records(starts).values():
            future.result(20)

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})

    def close(self) -> None:
        self.gate.close()
        if self._process is not None:
            self._process.close()

    def _answers(self) -> bool:
        try:
            return bool(self.admin().list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def _properties(self) -> dict[str, object]:
        controller = self.controller
        listeners = f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{listeners},GATED://127.0.0.1:{self._gated_port}",
            "advertised.listeners": f"{listeners},GATED://{self.gate.bootstrap}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GATED:PLAINTEXT",
            "log.dirs": self.folder / "logs",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 2,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            **AT_ONCE,
            **self._extra,
        }
