"""What the status page shows, taken from the published metrics: page and metrics cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.model.finding import Finding, Origin
from dupscope.model.layer import Layer
from dupscope.telemetry.catalogue import BY_NAME
from dupscope.telemetry.metrics import Published
from dupscope.telemetry.shape import PipelineShape, StageShape
from dupscope.telemetry.totals import Snapshot


@dataclass(frozen=True, slots=True)
class TailStatus:
    """One physical topic that is read."""

    cluster: str
    topic: str
    up: bool
    lag_records: int


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage. Times are in seconds since 1970.

    records          read so far; for a sink the lines of its audit log
    coverage_start   0 means from the log's beginning; None: not known yet, or a sink
    absorbed         of `extra_copies` that reached a sink, those that caused no effect
    """

    name: str
    layer: Layer
    reads: tuple[str, ...]
    records: int
    duplicates: int
    conflicting: int
    suspects: int
    missing: int
    extra_copies: int
    absorbed: int
    extra_effects: dict[Origin, int]
    unverified: dict[str, int]
    coverage_start: float | None
    tails: tuple[TailStatus, ...]


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """One pipeline; its source first, then mirrors and sinks as configured."""

    name: str
    team: str
    stages: tuple[StageStatus, ...]

    def duplicates(self, layer: Layer) -> int:
        """Duplicates that a layer made."""
        return sum(stage.duplicates for stage in self.stages if stage.layer is layer)

    @property
    def extra_effects(self) -> dict[Origin, int]:
        """Side effects beyond the first, of all sinks."""
        return {origin: sum(stage.extra_effects.get(origin, 0) for stage in self.stages) for origin in Origin}

    @property
    def unverified(self) -> int:
        """Suspects closed without a verdict, at all stages."""
        return sum(sum(stage.unverified.values()) for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of one process at the end of a cycle. Findings are newest first."""

    version: str
    ready: bool
    ready_reason: str
    started_at: float
    now: float
    pipelines: tuple[PipelineStatus, ...]
    findings: tuple[Finding, ...]


def summarise(shapes: tuple[PipelineShape, ...], version: str, published: Published) -> Status:
    """The status that published values amount to."""
    state = published.state
    return Status(
        version,
        state.ready,
        state.reason,
        state.started_at,
        state.now,
        tuple(_pipeline(shape, published.snapshot) for shape in shapes),
        state.findings,
    )


def _pipeline(shape: PipelineShape, snapshot: Snapshot) -> PipelineStatus:
    return PipelineStatus(shape.name, shape.team, tuple(_stage(shape, s, snapshot) for s in shape.stages))


def _stage(shape: PipelineShape, stage: StageShape, snapshot: Snapshot) -> StageStatus:
    def total(name: str, **labels: str) -> int:
        return int(snapshot.sum(name, pipeline=shape.name, stage=stage.name, **labels))

    effects = {origin: total("duplicate_effects_total", origin=origin) for origin in Origin}
    extra_copies = total("sink_extra_copies_total")
    return StageStatus(
        name=stage.name,
        layer=stage.layer,
        reads=stage.reads,
        records=total("audit_lines_total" if stage.layer is Layer.CONSUME else "records_total"),
        duplicates=total("duplicates_total"),
        conflicting=total("duplicates_total", kind="conflicting"),
        suspects=total("suspects"),
        missing=total("missing_total") - total("recovered_total"),
        extra_copies=extra_copies,
        absorbed=max(0, extra_copies - effects[Origin.PRODUCE] - effects[Origin.MIRROR]),
        extra_effects=effects,
        unverified=_unverified(shape.name, stage.name, snapshot),
        coverage_start=snapshot.values["coverage_start_timestamp_seconds"].get((shape.name, stage.name)),
        tails=_tails(shape, stage.name, snapshot),
    )


def _unverified(pipeline: str, stage: str, snapshot: Snapshot) -> dict[str, int]:
    """Counts by reason, of those reasons that occurred."""
    at = BY_NAME["unverified_total"].labels.index("stage")
    return {
        labels[-1]: int(value)
        for labels, value in sorted(snapshot.values["unverified_total"].items())
        if labels[0] == pipeline and labels[at] == stage and value
    }


def _tails(shape: PipelineShape, stage: str, snapshot: Snapshot) -> tuple[TailStatus, ...]:
    """The tails of a stage as the metrics have them; those beyond the label budget are one."""
    return tuple(
        TailStatus(cluster, topic, bool(up), int(snapshot.value("tail_lag_records", *labels)))
        for labels, up in sorted(snapshot.values["tail_up"].items())
        for pipeline, at, cluster, topic in [labels]
        if pipeline == shape.name and at == stage
    )
