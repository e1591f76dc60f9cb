"""Findings that belong together: what alerts, the command line and reports speak of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Position

QUIET_SECONDS = 300.0
"""An incident is over once nothing of its kind was detected for this long.

The slowest of the usual periods in which one fault repeats itself is a consumer that exceeds
`max.poll.interval.ms`, 5 minutes by default, and begins again; mirrors and clients retry much faster.
"""

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Incident:
    """Findings of one pipeline, stage and cause that were detected close in time.

    `id` follows from the first finding. `detected` are the first and the last time of detection, `occurred`
    the earliest and the latest time of the duplicates by their own clocks, in seconds since 1970. `examples`
    are positions of the first findings that have one.
    """

    id: str
    pipeline: str
    layer: Layer
    stage: str
    cause: str
    count: int
    conflicting: int
    detected: tuple[float, float]
    occurred: tuple[float, float]
    examples: tuple[Position, ...]


class Incidents:
    """Groups findings one by one, in the order of their detection.

    Time is that of the detection, since it only goes on: a later finding joins the last incident of its kind
    or begins one, and neither merges two nor changes the first finding of any. By the duplicates' own
    times a finding could close the gap between two incidents that people already speak of. The price: what a
    detector finds while it catches up is one incident, however far apart it happened; `occurred` tells that.
    """

    def __init__(self) -> None:
        self._found: list[Incident] = []
        self._last: dict[tuple[str, str, str], int] = {}

    def add(self, finding: Finding) -> str:
        """Count one more finding. Returns the id of its incident."""
        group = finding.pipeline, finding.stage, finding.cause
        index = self._last.get(group)
        if index is None or finding.detected_at - self._found[index].detected[1] > QUIET_SECONDS:
            self._last[group] = len(self._found)
            self._found.append(_begun(finding))
        else:
            self._found[index] = _grown(self._found[index], finding)
        return self._found[self._last[group]].id

    def all(self) -> list[Incident]:
        """The incidents so far, in the order in which they began."""
        return list(self._found)


def incidents_of(findings: Iterable[Finding]) -> list[Incident]:
    """The incidents of findings that are given in the order of their detection."""
    incidents = Incidents()
    for finding in findings:
        incidents.add(finding)
    return incidents.all()


def incident_id(first: Finding) -> str:
    """The id of the incident that begins with a finding."""
    text = f"incident\0{first.id}\0{first.cause}"
    return f"inc-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _begun(finding: Finding) -> Incident:
    return Incident(
        id=incident_id(finding),
        pipeline=finding.pipeline,
        layer=finding.layer,
        stage=finding.stage,
        cause=finding.cause,
        count=1,
        conflicting=int(finding.kind is Kind.CONFLICTING),
        detected=(finding.detected_at, finding.detected_at),
        occurred=(finding.timestamp, finding.timestamp),
        examples=(finding.position,) if finding.position else (),
    )


def _grown(incident: Incident, finding: Finding) -> Incident:
    example = (finding.position,) if finding.position else ()
    return replace(
        incident,
        count=incident.count + 1,
        conflicting=incident.conflicting + (finding.kind is Kind.CONFLICTING),
        detected=(incident.detected[0], max(incident.detected[1], finding.detected_at)),
        occurred=(min(incident.occurred[0], finding.timestamp), max(incident.occurred[1], finding.timestamp)),
        examples=(*incident.examples, *example)[:EXAMPLES],
    )
