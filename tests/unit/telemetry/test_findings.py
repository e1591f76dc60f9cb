from __future__ import annotations

import json

import pytest
import structlog
from structlog.testing import LogCapture

from dupscope.telemetry.findings import REPORT_INTERVAL_SECONDS, FindingLog, finding_fields
from dupscope.telemetry.metrics import Metrics, RunState


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def capture():
    return LogCapture()


@pytest.fixture
def metrics(shape):
    return Metrics([shape], version="1")


@pytest.fixture
def log(capture, metrics, clock):
    """A log of at most two findings a second."""
    return FindingLog(structlog.wrap_logger(None, processors=[capture]), metrics, 2, clock)


def events(capture):
    return [entry["event"] for entry in capture.entries]


def dropped(metrics):
    metrics.publish(RunState(True, "", 0, 0))
    return metrics.published.snapshot.value("findings_dropped_total", "payments", "log")


def offer(log, findings):
    """As the loop does: ask which get a line, commit, write those."""
    wanted = log.wants(findings)
    log.write(one for one, wants in zip(findings, wanted, strict=True) if wants)


class TestFindingLog:
    """One line per finding up to a rate; the rest is counted, in the log and in the metrics."""

    def test_one_line_per_finding(self, log, capture, metrics, finding):
        """Below the rate nothing is held back."""
        log.write([finding(id="a"), finding(id="b")])
        assert [entry["id"] for entry in capture.entries] == ["a", "b"]
        assert events(capture) == ["duplicate", "duplicate"]
        assert dropped(metrics) == 0

    def test_over_the_rate(self, log, capture, metrics, finding):
        """What is over the rate is dropped and counted at once in the metric."""
        offer(log, [finding()] * 5)
        assert events(capture) == ["duplicate"] * 2
        assert dropped(metrics) == 3

    def test_tokens_come_back(self, log, capture, clock, finding):
        """Half a second gives one of two lines back, a long pause no more than a second's worth."""
        offer(log, [finding()] * 2)
        clock.now += 0.5
        offer(log, [finding()] * 2)
        assert events(capture).count("duplicate") == 3
        clock.now += 5
        offer(log, [finding()] * 9)
        assert events(capture).count("duplicate") == 5

    def test_suppressed_is_reported_once_an_interval(self, log, capture, clock, finding):
        """The number suppressed comes in one line, also in a cycle without findings."""
        offer(log, [finding()] * 5)
        clock.now += REPORT_INTERVAL_SECONDS - 0.1
        log.write([])
        assert "duplicates_suppressed" not in events(capture)
        clock.now += 0.1
        log.write([])
        log.write([])
        assert capture.entries[-1] == {
            "event": "duplicates_suppressed",
            "log_level": "warning",
            "pipeline": "payments",
            "suppressed": 3,
        }
        assert events(capture).count("duplicates_suppressed") == 1

    def test_close_reports_the_rest(self, log, capture, finding):
        """Nothing suppressed stays unsaid at the end, and nothing is said twice."""
        offer(log, [finding()] * 3)
        log.close()
        log.close()
        assert events(capture) == ["duplicate", "duplicate", "duplicates_suppressed"]

    def test_zero_means_no_limit(self, capture, metrics, clock, finding):
        """A limit of 0 logs all."""
        log = FindingLog(structlog.wrap_logger(None, processors=[capture]), metrics, 0, clock)
        log.write([finding()] * 1000)
        assert len(capture.entries) == 1000


class TestFindingFields:
    """A line has the same fields for every finding, and JSON can carry it."""

    def test_fields(self, finding):
        """Positions in full, times in UTC, the keyed digest, never the key."""
        assert finding_fields(finding()) == {
            "id": "5f1d",
            "pipeline": "payments",
            "layer": "mirror",
            "stage": "to-dr",
            "topic": "payments",
            "kind": "identical",
            "cluster_id": "cluster-b",
            "topic_id": "topic-2",
            "physical_topic": "primary.payments",
            "partition": 3,
            "offset": 42,
            "first_cluster_id": "cluster-b",
            "first_topic_id": "topic-2",
            "first_physical_topic": "primary.payments",
            "first_partition": 3,
            "first_offset": 17,
            "fingerprint": "00ff",
            "ordinal": None,
            "occurred_at": "2027-01-15T07:59:57.500Z",
            "detected_at": "2027-01-15T08:00:00.000Z",
            "gap_seconds": 61.0,
            "cause": "unknown",
            "missing_evidence": [],
            "idempotence_would_prevent": None,
        }

    def test_unknown_is_null(self, finding):
        """An effect without a position has the same fields, null."""
        bare = finding_fields(finding(position=None, first=None, gap_seconds=None, timestamp=1e18))
        assert set(finding_fields(finding())) == set(bare)
        assert bare["offset"] is None
        assert bare["occurred_at"] is None
        assert json.dumps(bare)
