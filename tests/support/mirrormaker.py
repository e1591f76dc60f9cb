"""A real MirrorMaker 2 in a process of its own, which tests start, stop and kill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support import java
from support.broker import Broker

REPLICATED_ONCE = (
    "replication.factor",
    "checkpoints.topic.replication.factor",
    "heartbeats.topic.replication.factor",
    "offset-syncs.topic.replication.factor",
    "offset.storage.replication.factor",
    "config.storage.replication.factor",
    "status.storage.replication.factor",
)


@dataclass(frozen=True)
class MirrorSettings:
    """What one MirrorMaker copies. `flush_seconds` apart it notes its offsets: what it copied since is copied
    again after a kill."""

    topics: str
    flush_seconds: float = 60
    extra: tuple[tuple[str, object], ...] = ()


class MirrorMaker:
    """Copies topics from one cluster to another under the default naming: `primary.payments`."""

    def __init__(self, source: Broker, destination: Broker, settings: MirrorSettings, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        properties = java.write_properties(
            folder / "mirror.properties", mirror_properties(source, destination, settings)
        )
        main_class = "org.apache.kafka.connect.mirror.MirrorMaker"
        self.process = java.daemon(folder / "mirror.log", main_class, str(properties))

    def start(self) -> None:
        self.process.start()

    def kill(self) -> None:
        """kill -9: offsets copied since the last flush are lost."""
        self.process.kill()

    def stop(self) -> int:
        """SIGTERM: MirrorMaker flushes its offsets and ends. Its exit code, 143 by Java's custom."""
        return self.process.stop()

    def close(self) -> None:
        self.process.close()


def mirror_properties(source: Broker, destination: Broker, settings: MirrorSettings) -> dict[str, object]:
    flow = f"{source.name}->{destination.name}"
    back = f"{destination.name}->{source.name}"
    return {
        "clusters": f"{source.name},{destination.name}",
        f"{source.name}.bootstrap.servers": source.bootstrap,
        f"{destination.name}.bootstrap.servers": destination.bootstrap,
        f"{flow}.enabled": "true",
        f"{flow}.topics": settings.topics,
        f"{flow}.emit.heartbeats.enabled": "false",
        f"{back}.enabled": "false",
        f"{back}.emit.heartbeats.enabled": "false",
        "tasks.max": 1,
        "refresh.topics.interval.seconds": 2,
        "refresh.groups.interval.seconds": 2,
        "offset.storage.partitions": 1,
        "status.storage.partitions": 1,
        "plugin.discovery": "service_load",
        **{f"{destination.name}.{name}": value for name, value in worker_properties(settings).items()},
        **dict.fromkeys(REPLICATED_ONCE, 1),
        **dict(settings.extra),
    }


def worker_properties(settings: MirrorSettings) -> dict[str, object]:
    """What MirrorMaker takes for its Connect worker only under the name of the destination."""
    return {
        "offset.flush.interval.ms": int(settings.flush_seconds * 1000),
        "plugin.discovery": "service_load",
        "scheduled.rebalance.max.delay.ms": 0,
        "session.timeout.ms": 3000,
        "heartbeat.interval.ms": 500,
    }
