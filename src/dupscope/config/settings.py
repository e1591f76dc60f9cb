"""What a valid configuration comes to: each room's settings, named and composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.audit.settings import AuditSettings
from dupscope.config.values import ListenAddress, StartAt
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.replay import Replay
from dupscope.model.topology import Topology

NOTHING_MARKED = RedriveMarks()


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """One pipeline. Logs and sinks are known by their index in the topology.

    topics    for each log: which topics belong to it, and which logical topics they are
    audits    for each sink that has one: its audit log
    redrive   what marks a record as sent again on purpose
    """

    topology: Topology
    key: KeySpec
    topics: tuple[TopicSelection, ...]
    audits: Mapping[int, AuditSettings]
    window_seconds: float
    margin_seconds: float
    start: StartAt
    team: str | None = None
    redrive: RedriveMarks = NOTHING_MARKED

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.topology.pipeline


@dataclass(frozen=True, slots=True)
class Limits:
    """What dupscope may use. `fetch_rate` is in records per second and log, None: no limit."""

    memory_bytes: int
    disk_bytes: int
    fetch_rate: int | None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Log lines: least level shown, and most findings logged in a second (0: all)."""

    level: str
    findings_per_second: int


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration.

    `replays` are by pipeline, and only those with a replay are in it.
    `masked` is the effective configuration, defaults filled in and secrets as `***`, as plain values that
    JSON can carry. It is the only part that may be shown.
    """

    file: Path
    clusters: Mapping[str, ClusterSettings]
    pipelines: Mapping[str, PipelineSettings]
    replays: Mapping[str, tuple[Replay, ...]]
    state_path: Path
    journal_bytes: int
    fingerprint_key: Path
    limits: Limits
    listen: ListenAddress
    log: LogSettings
    masked: Mapping[str, object] = field(repr=False)
