"""One pipeline and one scripted run of it, for all tests of telemetry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dupscope.model.finding import Finding, Kind, Reason
from dupscope.model.layer import Layer
from dupscope.model.position import Position
from dupscope.telemetry.metrics import Metrics, RunState
from dupscope.telemetry.shape import PipelineShape, StageShape, TailShape

REASONS = {
    "unkeyed_records_total": ("null_key", "missing_path"),
    "intended_duplicates_total": ("redrive", "dr-drill"),
    "unverified_total": tuple(Reason),
    "coverage_holes_total": ("offset_out_of_range",),
    "tail_errors_total": ("transport",),
    "audit_invalid_lines_total": ("not_json",),
}

NOW = 1_800_000_000.0


@pytest.fixture
def shape() -> PipelineShape:
    """A source, one mirror of it, and one sink that reads the mirror."""
    return PipelineShape(
        name="payments",
        stages=(
            StageShape("source", Layer.PRODUCE),
            StageShape("to-dr", Layer.MIRROR, ("source",)),
            StageShape("charger", Layer.CONSUME, ("to-dr",)),
        ),
        topics=("payments",),
        tails=(
            TailShape("source", "primary", "payments"),
            TailShape("to-dr", "dr", "primary.payments"),
        ),
        reasons=REASONS,
        team="checkout",
    )


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """Makes findings; any field can be named."""

    def make(**fields: object) -> Finding:
        defaults: dict[str, object] = {
            "id": "5f1d",
            "pipeline": "payments",
            "layer": Layer.MIRROR,
            "stage": "to-dr",
            "topic": "payments",
            "kind": Kind.IDENTICAL,
            "position": Position("cluster-b", "topic-2", "primary.payments", 3, 42),
            "first": Position("cluster-b", "topic-2", "primary.payments", 3, 17),
            "fingerprint": "00ff",
            "detected_at": NOW,
            "timestamp": NOW - 2.5,
            "gap_seconds": 61.0,
        }
        return Finding(**{**defaults, **fields})

    return make


@pytest.fixture
def scripted(shape: PipelineShape, finding: Callable[..., Finding]) -> Metrics:
    """A run in which every metric was fed, published once."""
    metrics = Metrics([shape], version="1.2.3")
    for stage, records in (("source", 20_003), ("to-dr", 20_046)):
        metrics.add("records_total", ("payments", stage, "payments"), records)
        metrics.add("unkeyed_records_total", ("payments", stage, "payments", "null_key"), 2)
        metrics.set("coverage_start_timestamp_seconds", ("payments", stage), NOW - 3600)
    metrics.add("duplicates_total", ("payments", "produce", "source", "payments", "conflicting"), 3)
    metrics.add("duplicates_total", ("payments", "mirror", "to-dr", "payments", "identical"), 43)
    metrics.add("duplicates_total", ("payments", "consume", "charger", "payments", "identical"), 5)
    for origin, effects in (("produce", 3), ("mirror", 6), ("consume", 5)):
        metrics.add("duplicate_effects_total", ("payments", "charger", origin), effects)
    metrics.add("sink_extra_copies_total", ("payments", "charger"), 46)
    metrics.add("redelivered_records_total", ("payments", "charger"), 17)
    metrics.set("last_duplicate_timestamp_seconds", ("payments", "mirror", "to-dr"), NOW)
    metrics.add("missing_total", ("payments", "mirror", "to-dr"), 4)
    metrics.add("recovered_total", ("payments", "mirror", "to-dr"), 1)
    metrics.add("unverified_total", ("payments", "mirror", "to-dr", "before_coverage"), 7)
    metrics.add("coverage_holes_total", ("payments", "source", "offset_out_of_range"))
    metrics.set("suspects", ("payments", "mirror", "to-dr"), 2)
    metrics.set("oldest_suspect_timestamp_seconds", ("payments", "mirror", "to-dr"), NOW - 3)
    for stage, cluster, topic in (("source", "primary", "payments"), ("to-dr", "dr", "primary.payments")):
        metrics.set("tail_up", ("payments", stage, cluster, topic), 1)
        metrics.set("tail_lag_records", ("payments", stage, cluster, topic), 12)
        metrics.set("tail_last_record_timestamp_seconds", ("payments", stage, cluster, topic), NOW - 1)
        metrics.add("tail_errors_total", ("payments", stage, cluster, "transport"))
    metrics.add("audit_lines_total", ("payments", "charger"), 20_011)
    metrics.add("audit_invalid_lines_total", ("payments", "charger", "not_json"))
    metrics.observe_many("duplicate_gap_seconds", ("payments", "mirror", "to-dr"), [0.1, 61, 1e6])
    metrics.observe("detection_delay_seconds", ("payments", "mirror", "to-dr"), 2.5)
    metrics.observe("commit_duration_seconds", (), 0.004)
    metrics.set("index_keys", ("payments",), 20_000)
    metrics.set("index_limit_keys", ("payments",), 10_000_000)
    metrics.add("index_evictions_total", ("payments",), 9)
    metrics.add("findings_dropped_total", ("payments", "log"), 1)
    metrics.publish(RunState(True, "", NOW - 12_000, NOW, (finding(),)))
    return metrics
