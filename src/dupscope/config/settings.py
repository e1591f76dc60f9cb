"""What a valid configuration comes to: each room's settings, named and composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.audit.settings import AuditSettings
from dupscope.config.values import ListenAddress, StartAt
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.topology import Topology


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """One pipeline. Logs and sinks are known by their index in the topology.

    topics    for each log: physical topic -> logical topic
    audits    for each sink that has one: its audit log
    """

    topology: Topology
    key: KeySpec
    topics: tuple[Mapping[str, str], ...]
    audits: Mapping[int, AuditSettings]
    window_seconds: float
    margin_seconds: float
    start: StartAt
    team: str | None = None

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.topology.pipeline


@dataclass(frozen=True, slots=True)
class Limits:
    """What dupscope may use. `fetch_rate` is in records per second and log, None: no limit."""

    memory_bytes: int
    fetch_rate: int | None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Log lines: least level shown, and most findings logged in a second (0: all)."""

    level: str
    findings_per_second: int


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration.

    `masked` is the effective configuration, defaults filled in and secrets as `***`, as plain values that
    JSON can carry. It is the only part that may be shown.
    """

    file: Path
    clusters: Mapping[str, ClusterSettings]
    pipelines: Mapping[str, PipelineSettings]
    state_path: Path
    fingerprint_key: Path
    limits: Limits
    listen: ListenAddress
    log: LogSettings
    masked: Mapping[str, object] = field(repr=False)
