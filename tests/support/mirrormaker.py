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
    again after a kill.

    naming     `default`, `identity`, or the separator between alias and topic
    label      MirrorMakers of different labels share no offsets; the empty one is shared by all without
    both_ways  one process that copies in both directions
    """

    topics: str
    flush_seconds: float = 60
    extra: tuple[tuple[str, object], ...] = ()
    naming: str = "default"
    label: str = ""
    both_ways: bool = False


class MirrorMaker:
    """Copies topics from one cluster to another: `payments` becomes `primary.payments`, or as is settled."""

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
        f"{back}.enabled": str(settings.both_ways).lower(),
        f"{back}.topics": settings.topics,
        f"{back}.emit.heartbeats.enabled": "false",
        "tasks.max": 1,
        "refresh.topics.interval.seconds": 2,
        "refresh.groups.interval.seconds": 2,
        "offset.storage.partitions": 1,
        "status.storage.partitions": 1,
        "plugin.discovery": "service_load",
        **{
            f"{cluster.name}.{name}": value
            for cluster in ((destination, source) if settings.both_ways else (destination,))
            for name, value in worker_properties(settings).items()
        },
        **dict.fromkeys(REPLICATED_ONCE, 1),
        **naming_properties(settings.naming),
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
        **own_storage(settings.label),
    }


def own_storage(label: str) -> dict[str, object]:
    """A group and topics of a MirrorMaker's own, in the place of those of its alias."""
    if not label:
        return {}
    kinds = ("offset", "config", "status")
    return {"group.id": f"mm2-{label}", **{f"{kind}.storage.topic": f"mm2-{kind}.{label}" for kind in kinds}}


def naming_properties(naming: str) -> dict[str, object]:
    """What makes MirrorMaker name its topics so: see `MirrorSettings`."""
    if naming == "default":
        return {}
    if naming == "identity":
        return {"replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"}
    return {"replication.policy.separator": naming}
