"""One log line per finding, so many a second and no more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from structlog.typing import FilteringBoundLogger

from dupscope.model.finding import Finding
from dupscope.model.position import Position
from dupscope.telemetry.instants import iso
from dupscope.telemetry.metrics import Metrics
from dupscope.telemetry.shape import LOG_OUTPUT

REPORT_INTERVAL_SECONDS = 10.0


class FindingLog:
    """Writes findings as log lines; what is over the rate is counted, and the count is logged.

    `per_second` is also the burst; 0 means no limit. `clock` is monotonic, in seconds. Called by the loop
    only: `wants` before the commit that holds the findings, since it counts, and `write` after it.
    """

    def __init__(
        self,
        logger: FilteringBoundLogger,
        metrics: Metrics,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger, self._metrics, self._clock = logger, metrics, clock
        self._per_second = per_second
        self._tokens, self._filled_at = float(per_second), clock()
        self._suppressed: Counter[str] = Counter()
        self._reported_at = self._filled_at

    def wants(self, findings: Iterable[Finding]) -> list[bool]:
        """Which of some findings get a line. Counts those that do not."""
        self._fill(self._clock())
        return [self._admits(finding) for finding in findings]

    def write(self, findings: Iterable[Finding]) -> None:
        """Log findings. Call it after every commit, also without any: it reports what was suppressed."""
        for finding in findings:
            self._logger.warning("duplicate", **finding_fields(finding))
        now = self._clock()
        if now - self._reported_at >= REPORT_INTERVAL_SECONDS:
            self._report(now)

    def close(self) -> None:
        """Report what was suppressed since the last report."""
        self._report(self._clock())

    def _fill(self, now: float) -> None:
        refill = (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._tokens + refill, float(self._per_second)), now

    def _admits(self, finding: Finding) -> bool:
        if self._take():
            return True
        self._suppressed[finding.pipeline] += 1
        self._metrics.add("findings_dropped_total", (finding.pipeline, LOG_OUTPUT))
        return False

    def _take(self) -> bool:
        if self._per_second and self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _report(self, now: float) -> None:
        for pipeline, count in sorted(self._suppressed.items()):
            self._logger.warning("duplicates_suppressed", pipeline=pipeline, suppressed=count)
        self._suppressed.clear()
        self._reported_at = now


def finding_fields(finding: Finding) -> dict[str, object]:
    """The fields of a finding's log line. All are always there; null where nothing is known."""
    return {
        "id": finding.id,
        "pipeline": finding.pipeline,
        "layer": str(finding.layer),
        "stage": finding.stage,
        "topic": finding.topic,
        "kind": str(finding.kind),
        **_where(finding.position, ""),
        **_where(finding.first, "first_"),
        "fingerprint": finding.fingerprint,
        "ordinal": finding.ordinal,
        "occurred_at": iso(finding.timestamp),
        "detected_at": iso(finding.detected_at),
        "gap_seconds": finding.gap_seconds,
        "cause": finding.cause,
        "missing_evidence": list(finding.missing_evidence),
        "idempotence_would_prevent": finding.idempotence_would_prevent,
    }


def _where(position: Position | None, prefix: str) -> dict[str, object]:
    return {
        f"{prefix}cluster_id": position.cluster_id if position else None,
        f"{prefix}topic_id": position.topic_id if position else None,
        f"{prefix}physical_topic": position.topic if position else None,
        f"{prefix}partition": position.partition if position else None,
        f"{prefix}offset": position.offset if position else None,
    }
