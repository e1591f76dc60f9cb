"""From what a cycle read and concluded to metrics."""

from __future__ import annotations

from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch, Reads
from dupscope.ledger.judge import sink_stage
from dupscope.ledger.outcome import Outcome
from dupscope.model.batch import AuditRead, TailRead
from dupscope.model.finding import Finding, Reason
from dupscope.model.layer import Layer
from dupscope.telemetry.metrics import Metrics


class Publisher:
    """Feeds the metrics of one pipeline, by the loop's thread. Nobody sees them before they are published."""

    def __init__(self, metrics: Metrics, watch: PipelineWatch) -> None:
        self._metrics = metrics
        self._watch = watch
        self._name = watch.settings.name
        self._evictions = watch.ledger.held.retention.evictions
        self._declared: object = None

    def reads(self, reads: Reads) -> None:
        """Count what was read."""
        for log, read in reads.logs.items():
            self._log_read(self._stage(log), self._watch.topology.logs[log].cluster, read)
        for log, errors in reads.errors.items():
            cluster = self._watch.topology.logs[log].cluster
            for reason in errors:
                self._metrics.add("tail_errors_total", (self._name, self._stage(log), cluster, reason))
        for sink, audit in reads.sinks.items():
            self._audit_read(self._watch.topology.sinks[sink].name, audit)
        for sink, count in reads.redelivered.items():
            labels = (self._name, self._watch.topology.sinks[sink].name)
            self._metrics.add("redelivered_records_total", labels, count)

    def _audit_read(self, stage: str, audit: AuditRead) -> None:
        self._metrics.add("audit_lines_total", (self._name, stage), audit.lines)
        for reason, count in audit.invalid.items():
            self._metrics.add("audit_invalid_lines_total", (self._name, stage, reason), count)
        if audit.lost:
            labels = (self._name, Layer.CONSUME, stage, Reason.AUDIT_LOST)
            self._metrics.add("unverified_total", labels, audit.lost)
        if audit.complete_ms is not None:
            complete = audit.complete_ms / 1000
            self._metrics.set("audit_complete_timestamp_seconds", (self._name, stage), complete)

    def _log_read(self, stage: str, cluster: str, read: TailRead) -> None:
        for topic, count in read.records.items():
            self._metrics.add("records_total", (self._name, stage, topic), count)
        for (topic, reason), count in read.unkeyed.items():
            self._metrics.add("unkeyed_records_total", (self._name, stage, topic, reason), count)
        for reason, count in read.errors.items():
            self._metrics.add("tail_errors_total", (self._name, stage, cluster, reason), count)
        for _slot, reason in read.holes:
            self._metrics.add("coverage_holes_total", (self._name, stage, reason))
        for topic, stamp in read.last_timestamp.items():
            labels = (self._name, stage, cluster, topic)
            self._metrics.set("tail_last_record_timestamp_seconds", labels, stamp / 1000)

    def outcome(self, outcome: Outcome, findings: tuple[Finding, ...]) -> None:
        """Count what was concluded."""
        for finding in findings:
            count_finding(self._metrics, finding)
        for (layer, stage, replay), count in outcome.intended.items():
            self._metrics.add("intended_duplicates_total", (self._name, layer, stage, replay), count)
        for (layer, stage, reason), count in outcome.unverified.items():
            self._metrics.add("unverified_total", (self._name, layer, stage, reason), count)
        for stage, count in outcome.missing.items():
            self._metrics.add("missing_total", (self._name, self._downstream(stage), stage), count)
        for stage, count in outcome.recovered.items():
            self._metrics.add("recovered_total", (self._name, self._downstream(stage), stage), count)
        for (stage, origin), count in outcome.extra_effects.items():
            self._metrics.add("duplicate_effects_total", (self._name, stage, origin), count)
        for stage, count in outcome.extra_copies.items():
            self._metrics.add("sink_extra_copies_total", (self._name, stage), count)
        for layer, stage, seconds in outcome.delays_seconds:
            self._metrics.observe("detection_delay_seconds", (self._name, layer, stage), seconds)

    def state(self) -> None:
        """Set what is true now."""
        self._declare()
        watch, held = self._watch, self._watch.ledger.held
        self._metrics.set("index_keys", (self._name,), len(held.rows))
        self._metrics.set("index_limit_keys", (self._name,), held.rows.capacity)
        self._metrics.set("ledger_unbalanced_cases", (self._name,), len(watch.ledger.unbalanced))
        new = held.retention.evictions - self._evictions
        self._evictions += new
        self._metrics.add("index_evictions_total", (self._name,), new)
        for log in range(len(watch.topology.logs)):
            self._log_state(log)
        for name, logs in watch.topology.stages.items():
            self._coverage(name, logs)
        for stage, count in watch.ledger.suspects().items():
            self._suspects(stage, count)

    def _log_state(self, log: int) -> None:
        watch, stage = self._watch, self._stage(log)
        cluster = watch.topology.logs[log].cluster
        for topic, lag in watch.tails.lag_records(log).items():
            labels = (self._name, stage, cluster, topic)
            self._metrics.set("tail_up", labels, float(watch.tails.is_up(log)))
            self._metrics.set("tail_lag_records", labels, lag)

    def _coverage(self, name: str, logs: tuple[int, ...]) -> None:
        """Of several sources the one that was read the least far back."""
        if self._watch.tails.open_logs.issuperset(logs):
            since = max(self._watch.covered_since_ms(log) or 0 for log in logs)
            self._metrics.set("coverage_start_timestamp_seconds", (self._name, name), since / 1000)

    def _declare(self) -> None:
        """Create the series of topics and replays that were not known before."""
        watch = self._watch
        known = [watch.tails.topics(log) for log in range(len(watch.topology.logs))]
        if self._declared != (known, watch.replays):
            self._declared = (known, watch.replays)
            self._metrics.declare(shape_of(watch.settings, known, watch.replays))

    def _suspects(self, stage: int, count: int) -> None:
        topology = self._watch.topology
        layer = topology.layer(stage) if stage >= 0 else Layer.CONSUME
        name = topology.logs[stage].name if stage >= 0 else topology.sinks[sink_stage(stage)].name
        oldest = self._watch.ledger.oldest_suspect_ms(stage) if count else None
        labels = (self._name, layer, name)
        self._metrics.set("suspects", labels, count)
        self._metrics.set("oldest_suspect_timestamp_seconds", labels, (oldest or 0) / 1000)

    def _downstream(self, stage: str) -> Layer:
        """The layer of a mirror or a sink, by its name."""
        return Layer.MIRROR if stage in self._watch.topology.stages else Layer.CONSUME

    def _stage(self, log: int) -> str:
        return self._watch.topology.logs[log].name


def count_finding(metrics: Metrics, finding: Finding) -> None:
    """Count one duplicate."""
    stage = (finding.pipeline, finding.layer, finding.stage)
    metrics.add("duplicates_total", (*stage, finding.topic, finding.kind))
    metrics.set("last_duplicate_timestamp_seconds", stage, finding.detected_at)
    if finding.gap_seconds is not None:
        metrics.observe("duplicate_gap_seconds", stage, max(0.0, finding.gap_seconds))
