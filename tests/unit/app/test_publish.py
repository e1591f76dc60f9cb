from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from dupscope.app.publish import Publisher
from dupscope.app.shapes import shape_of
from dupscope.app.watch import Reads
from dupscope.ledger.outcome import Outcome
from dupscope.model.batch import AuditRead, TailRead, no_effects, no_records
from dupscope.model.finding import Finding, Kind, Origin, Reason
from dupscope.model.layer import Layer
from dupscope.telemetry.metrics import Metrics, RunState
from dupscope.telemetry.totals import Snapshot

SOURCE, MIRROR = 0, 1
Published = Callable[[], Snapshot]


@pytest.fixture
def watch(offline):
    return offline.watch()


@pytest.fixture
def metrics(watch) -> Metrics:
    return Metrics([shape_of(watch.settings)], "1.2.3")


@pytest.fixture
def publisher(metrics, watch) -> Publisher:
    return Publisher(metrics, watch)


@pytest.fixture
def published(metrics) -> Published:
    def now() -> Snapshot:
        metrics.publish(RunState(True, "", 0.0, 0.0))
        return metrics.published.snapshot

    return now


def finding(**fields: object) -> Finding:
    return Finding(**{
        "id": "5f1d",
        "pipeline": "payments",
        "layer": Layer.MIRROR,
        "stage": "to-dr",
        "topic": "payments",
        "kind": Kind.IDENTICAL,
        "position": None,
        "first": None,
        "fingerprint": "00ff",
        "detected_at": 50.0,
        "timestamp": 40.0,
        **fields,
    })  # fmt: skip


class TestReads:
    def test_logs(self, publisher, published):
        """Records and keyless ones by logical topic, errors by cluster, holes by reason, last timestamps."""
        read = TailRead(
            no_records(MIRROR),
            records=Counter({"payments": 7}),
            unkeyed=Counter({("payments", "null_key"): 2}),
            last_timestamp={"primary.payments": 1_800_000_000_500},
            errors=Counter({"transport": 3}),
            holes=[(0, "offset_out_of_range")],
        )
        publisher.reads(Reads(logs={MIRROR: read}))
        publisher.reads(Reads(logs={MIRROR: read}))
        shown = published()
        assert shown.value("records_total", "payments", "to-dr", "payments") == 14
        assert shown.value("unkeyed_records_total", "payments", "to-dr", "payments", "null_key") == 4
        assert shown.value("tail_errors_total", "payments", "to-dr", "dr", "transport") == 6
        assert shown.value("coverage_holes_total", "payments", "to-dr", "offset_out_of_range") == 2
        where = ("payments", "to-dr", "dr", "primary.payments")
        assert shown.value("tail_last_record_timestamp_seconds", *where) == 1_800_000_000.5
        assert shown.sum("records_total", stage="source") == 0

    def test_end_offsets_that_failed(self, publisher, published):
        """A cluster that gave no end offsets is an error of that tail."""
        publisher.reads(Reads(errors={SOURCE: ["unreachable"]}))
        assert published().value("tail_errors_total", "payments", "source", "primary", "unreachable") == 1

    def test_groups(self, publisher, published):
        """What a sink's group went back over adds up."""
        publisher.reads(Reads(redelivered={0: 40}))
        publisher.reads(Reads(redelivered={0: 2}))
        assert published().value("redelivered_records_total", "payments", "charger") == 42

    def test_audit(self, publisher, published):
        """Lines of a sink, those that gave no effect by reason, and up to when all of them are known."""
        read = AuditRead(no_effects(0), 10, Counter({"not_json": 3}), complete_ms=1_800_000_000_500)
        publisher.reads(Reads(sinks={0: read}))
        publisher.reads(Reads(sinks={0: AuditRead(no_effects(0))}))
        shown = published()
        assert shown.value("audit_complete_timestamp_seconds", "payments", "charger") == 1_800_000_000.5
        assert shown.value("audit_lines_total", "payments", "charger") == 10
        assert shown.value("audit_invalid_lines_total", "payments", "charger", "not_json") == 3


class TestOutcome:
    def test_findings(self, publisher, published):
        """A finding counts once, by layer, stage, topic and kind, and moves the time of the last one."""
        findings = (finding(), finding(kind=Kind.CONFLICTING, gap_seconds=3.0, detected_at=60.0))
        publisher.outcome(Outcome(), findings)
        shown = published()
        stage = ("payments", "mirror", "to-dr")
        assert shown.value("duplicates_total", *stage, "payments", "identical") == 1
        assert shown.value("duplicates_total", *stage, "payments", "conflicting") == 1
        assert shown.value("last_duplicate_timestamp_seconds", *stage) == 60.0
        assert shown.histograms["duplicate_gap_seconds"][stage].sum == 3.0

    def test_clocks_that_disagree(self, publisher, published):
        """A gap that is negative by the copies' clocks counts as none."""
        publisher.outcome(Outcome(), (finding(gap_seconds=-2.0),))
        gaps = published().histograms["duplicate_gap_seconds"]["payments", "mirror", "to-dr"]
        assert (gaps.sum, sum(gaps.counts)) == (0.0, 1)

    def test_counts(self, publisher, published):
        """Every count of an outcome has its metric."""
        outcome = Outcome(
            unverified=Counter({(Layer.CONSUME, "charger", Reason.NO_COPY): 2}),
            missing=Counter({"to-dr": 3, "charger": 7}),
            recovered=Counter({"to-dr": 1, "charger": 2}),
            extra_effects=Counter({("charger", Origin.MIRROR): 4}),
            extra_copies=Counter({"charger": 5}),
            delays_seconds=[(Layer.MIRROR, "to-dr", 0.5)],
        )
        publisher.outcome(outcome, ())
        shown = published()
        assert shown.value("unverified_total", "payments", "consume", "charger", "no_copy") == 2
        assert shown.value("missing_total", "payments", "mirror", "to-dr") == 3
        assert shown.value("recovered_total", "payments", "mirror", "to-dr") == 1
        assert shown.value("missing_total", "payments", "consume", "charger") == 7
        assert shown.value("recovered_total", "payments", "consume", "charger") == 2
        assert shown.value("duplicate_effects_total", "payments", "charger", "mirror") == 4
        assert shown.value("sink_extra_copies_total", "payments", "charger") == 5
        assert shown.histograms["detection_delay_seconds"]["payments", "mirror", "to-dr"].sum == 0.5


class TestState:
    def test_before_anything_is_open(self, publisher, published, watch):
        """Tails are down, coverage is not told, the index is empty and has its limit."""
        publisher.state()
        shown = published()
        assert shown.sum("tail_up") == 0
        assert not shown.values["coverage_start_timestamp_seconds"]
        assert shown.value("index_keys", "payments") == 0
        assert shown.value("index_limit_keys", "payments") == watch.ledger.held.rows.capacity
        assert shown.value("suspects", "payments", "mirror", "to-dr") == 0
        assert shown.value("suspects", "payments", "consume", "charger") == 0

    def test_open(self, online):
        """Open tails are up, with their lag; a log read from its beginning is covered since 0."""
        online.produce(*range(5))
        watch = online.watch()
        metrics = Metrics([shape_of(watch.settings)], "1.2.3")
        watch.tails.open()
        watch.take_ends(Reads())
        Publisher(metrics, watch).state()
        metrics.publish(RunState(True, "", 0.0, 0.0))
        shown = metrics.published.snapshot
        assert shown.value("tail_up", "payments", "source", "primary", "payments") == 1
        assert shown.value("tail_lag_records", "payments", "source", "primary", "payments") == 5
        assert shown.values["coverage_start_timestamp_seconds"]["payments", "source"] == 0

    def test_evictions_count_once(self, publisher, published, watch):
        """Evictions are counted as they happen, not again with every cycle."""
        watch.ledger.held.retention.evictions = 7
        publisher.state()
        publisher.state()
        assert published().value("index_evictions_total", "payments") == 7
