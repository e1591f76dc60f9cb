"""Every metric, as data. Instruments, their zero series and docs/metrics.md are built from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dupscope.model.layer import Layer

PREFIX = "dupscope_"

LOGS = frozenset({Layer.PRODUCE, Layer.MIRROR})
DOWNSTREAM = frozenset({Layer.MIRROR, Layer.CONSUME})
STAGES = frozenset(Layer)


class Type(StrEnum):
    """How a metric's values behave."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    name      without the prefix
    unit      what a value counts, in the plural; "" for a value without one
    layers    layers whose stages have series; for a metric without a `stage` label it means nothing
    start     the value of a series that nothing has fed yet; None: the series is absent until then,
              since 0 would claim something
    beyond    for a gauge by topic: how the topics beyond the label budget become one value
    survives  a gauge that is stored and goes on after a restart, as counters and histograms do
    """

    name: str
    type: Type
    unit: str
    labels: tuple[str, ...]
    help: str
    layers: frozenset[Layer] = STAGES
    buckets: tuple[float, ...] = ()
    start: float | None = 0.0
    beyond: Literal["sum", "min", "max"] = "sum"
    survives: bool = False
    stability: Literal["stable", "development"] = "stable"
    since: str = "0.1.0"

    @property
    def is_stored(self) -> bool:
        """Whether its values go on after a restart."""
        return self.survives or self.type is not Type.GAUGE

    @property
    def full_name(self) -> str:
        """The name in the exposition."""
        return PREFIX + self.name


C, G, H = Type.COUNTER, Type.GAUGE, Type.HISTOGRAM

GAP_BUCKETS = (0.1, 1, 5, 15, 45, 120, 300, 900, 3600, 21600, 86400, 604800)
"""Edges at the pauses that duplicates come from: a producer's retry (0.1 s to its delivery timeout, 120 s),
a group's session timeout (45 s) and poll interval (300 s), the offset flush of a mirror (60 s, below 120), an
outage (15 min to 6 h), the window (1 d), a replay by a person (above)."""

DELAY_BUCKETS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600)
"""A cycle takes about a second and a barrier about two cycles; above 10 s a mirror or a tail lags, above an
hour dupscope reads what was written before it started."""

COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""An fsync takes 1 ms on a good disk and 100 ms on a poor one; a commit above a second delays its cycle."""

CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "records_total",
        C,
        "records",
        ("pipeline", "stage", "topic"),
        "Committed records read for the first time, by logical topic. Re-reads do not count.",
        layers=LOGS,
    ),
    Metric(
        "unkeyed_records_total",
        C,
        "records",
        ("pipeline", "stage", "topic", "reason"),
        "Records without a usable business key: dupscope cannot speak for them.",
        layers=LOGS,
    ),
    Metric(
        "duplicates_total",
        C,
        "duplicates",
        ("pipeline", "layer", "stage", "topic", "kind"),
        "Unintended duplicates, by the layer and stage that made them. Any sum counts findings.",
    ),
    Metric(
        "intended_duplicates_total",
        C,
        "duplicates",
        ("pipeline", "layer", "stage", "reason"),
        "Recognised replays: duplicates that somebody meant. They are not in duplicates_total.",
    ),
    Metric(
        "duplicate_effects_total",
        C,
        "effects",
        ("pipeline", "stage", "origin"),
        "Side effects beyond the first of their business fact, by origin: what customers felt.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "last_duplicate_timestamp_seconds",
        G,
        "seconds",
        ("pipeline", "layer", "stage"),
        "When the latest duplicate was detected; 0 if none was.",
        survives=True,
    ),
    Metric(
        "sink_extra_copies_total",
        C,
        "copies",
        ("pipeline", "stage"),
        "Copies beyond the first of their business fact that reached the sink. Less its duplicate effects of "
        "origin produce and mirror, it is what the sink's own deduplication absorbed.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "redelivered_records_total",
        C,
        "records",
        ("pipeline", "stage"),
        "Offsets that lay below a commit of the sink's group when the group moved it back: they are "
        "delivered again. Needs no audit log; 0 for a sink without a group.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "missing_total",
        C,
        "records",
        ("pipeline", "layer", "stage"),
        "Records judged lost: upstream has them, the mirror went past them. At a sink that `expects` them: "
        "business facts that its group went past without an effect.",
        layers=DOWNSTREAM,
    ),
    Metric(
        "recovered_total",
        C,
        "records",
        ("pipeline", "layer", "stage"),
        "Records judged lost that arrived afterwards; at a sink, whose effect did.",
        layers=DOWNSTREAM,
    ),
    Metric(
        "unverified_total",
        C,
        "suspects",
        ("pipeline", "layer", "stage", "reason"),
        "Suspects closed without a verdict: neither duplicates nor proven innocent.",
    ),
    Metric(
        "suspects",
        G,
        "suspects",
        ("pipeline", "layer", "stage"),
        "Business facts whose verdict waits until upstream has been read far enough.",
        layers=DOWNSTREAM,
    ),
    Metric(
        "oldest_suspect_timestamp_seconds",
        G,
        "seconds",
        ("pipeline", "layer", "stage"),
        "Since when the oldest open suspect waits; 0 if none does.",
        layers=DOWNSTREAM,
    ),
    Metric(
        "coverage_start_timestamp_seconds",
        G,
        "seconds",
        ("pipeline", "stage"),
        "From when on the log was read without a hole; 0 if from its very beginning. Absent until known.",
        layers=LOGS,
        start=None,
    ),
    Metric(
        "coverage_holes_total",
        C,
        "holes",
        ("pipeline", "stage", "reason"),
        "Spans of a log that could not be read.",
        layers=LOGS,
    ),
    Metric(
        "tail_up",
        G,
        "",
        ("pipeline", "stage", "cluster", "topic"),
        "1 while the physical topic is being read, else 0.",
        beyond="min",
    ),
    Metric(
        "tail_lag_records",
        G,
        "records",
        ("pipeline", "stage", "cluster", "topic"),
        "Offsets between what was read of the physical topic and its end.",
    ),
    Metric(
        "tail_last_record_timestamp_seconds",
        G,
        "seconds",
        ("pipeline", "stage", "cluster", "topic"),
        "Largest timestamp of a record read from the physical topic; 0 if none was.",
        beyond="max",
        survives=True,
    ),
    Metric(
        "tail_errors_total",
        C,
        "errors",
        ("pipeline", "stage", "cluster", "reason"),
        "Errors that the Kafka client reported while reading.",
    ),
    Metric(
        "audit_lines_total",
        C,
        "lines",
        ("pipeline", "stage"),
        "Lines read from the sink's audit log, invalid ones included.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "audit_invalid_lines_total",
        C,
        "lines",
        ("pipeline", "stage", "reason"),
        "Audit lines that could not be used.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "audit_complete_timestamp_seconds",
        G,
        "seconds",
        ("pipeline", "stage"),
        "Up to when the sink's audit log was read without a rest; 0 until then, and for a sink without one.",
        layers=frozenset({Layer.CONSUME}),
    ),
    Metric(
        "duplicate_gap_seconds",
        H,
        "seconds",
        ("pipeline", "layer", "stage"),
        "Time between a duplicate and what it repeats, by their own timestamps.",
        buckets=GAP_BUCKETS,
    ),
    Metric(
        "detection_delay_seconds",
        H,
        "seconds",
        ("pipeline", "layer", "stage"),
        "Time from a duplicate's own timestamp to its verdict.",
        buckets=DELAY_BUCKETS,
    ),
    Metric(
        "index_keys",
        G,
        "keys",
        ("pipeline",),
        "Business facts held in memory.",
    ),
    Metric(
        "index_limit_keys",
        G,
        "keys",
        ("pipeline",),
        "Business facts that fit in memory before the oldest are evicted.",
    ),
    Metric(
        "index_evictions_total",
        C,
        "keys",
        ("pipeline",),
        "Business facts evicted early for lack of memory. Each eviction moves the coverage start.",
    ),
    Metric(
        "ledger_unbalanced_cases",
        G,
        "cases",
        ("pipeline",),
        "Business facts whose counts contradict each other. Not 0 means a defect of dupscope.",
    ),
    Metric(
        "findings_dropped_total",
        C,
        "findings",
        ("pipeline", "output"),
        "Findings left out of an output over its rate. They count in duplicates_total all the same.",
    ),
    Metric(
        "pipeline_info",
        G,
        "",
        ("pipeline", "shard", "shards", "team"),
        "Always 1. Who owns the pipeline; two instances that export the same shard are a mistake.",
        start=1.0,
    ),
    Metric(
        "stage_info",
        G,
        "",
        ("pipeline", "stage", "layer", "reads"),
        "Always 1. A stage's layer and the stages that it reads from, joined by commas.",
        start=1.0,
    ),
    Metric(
        "commit_duration_seconds",
        H,
        "seconds",
        (),
        "How long it took to commit a cycle.",
        buckets=COMMIT_BUCKETS,
    ),
    Metric(
        "store_writable",
        G,
        "",
        (),
        "1 while the last commit could be written, else 0: nothing is read then, and nothing is lost.",
    ),
    Metric(
        "store_bytes",
        G,
        "bytes",
        (),
        "Bytes of the stored state on disk.",
    ),
    Metric(
        "store_resets_total",
        C,
        "resets",
        (),
        "Times that the stored state was found damaged or lost and begun anew.",
    ),
    Metric(
        "restored_ratio",
        G,
        "",
        (),
        "Share of the stored state that was read at the start; 1 once all was.",
    ),
    Metric(
        "build_info",
        G,
        "",
        ("version", "python_version"),
        "Always 1. What is running.",
        start=1.0,
    ),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}

LABELS: dict[str, str] = {
    "pipeline": "The pipeline's name in the configuration.",
    "layer": "Where a duplicate was made: produce, mirror or consume. A stage has one layer.",
    "stage": "Where copies are observed, by its unique name in the pipeline: source, a mirror, a sink.",
    "topic": "The source topic's name, also at a mirror; on `tail_` metrics the physical topic's.",
    "kind": "identical: the payload is that of what it repeats. conflicting: it is another.",
    "origin": "Which layer a side effect too many comes from: produce, mirror or consume.",
    "reason": "Why, from a closed set for each metric.",
    "cluster": "The cluster's name in the configuration.",
    "output": "Where findings are written: log.",
    "shard": "This instance's part of the pipeline, from 0.",
    "shards": "How many parts the pipeline has.",
    "team": "Who owns the pipeline; empty if the configuration does not say.",
    "reads": "The stages that a stage reads from, joined by commas.",
    "version": "The version of dupscope.",
    "python_version": "The version of Python.",
}
"""What a label says."""
