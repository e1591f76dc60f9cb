"""What `dupscope findings` prints: text for a person, one JSON object, or CSV."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from dupscope.app.check_report import plural
from dupscope.causes.incidents import Incident
from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Position
from dupscope.telemetry.findings import finding_fields
from dupscope.telemetry.instants import iso

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes text that begins with one of these for a formula, and runs it."""


@dataclass(frozen=True, slots=True)
class FoundIncidents:
    """The answer to one question.

    incidents  those that the findings belong to, each as a whole
    findings   with the ids of their incidents, in order of detection
    count      how many there were before the newest were picked
    span       the times of detection that were asked for, in seconds since 1970
    """

    incidents: tuple[Incident, ...]
    findings: tuple[tuple[Finding, str], ...]
    count: int
    span: tuple[float | None, float | None]


def write_text(found: FoundIncidents, out: TextIO) -> None:
    """Incidents, oldest first, and totals."""
    for incident in found.incidents:
        out.writelines(f"{line}\n" for line in _paragraph(incident))
    out.write(f"{_summary(found)}\n")


def write_json(found: FoundIncidents, out: TextIO) -> None:
    """One object: `jq '.incidents[]'`, `jq '.findings[]'`. Findings have the fields of their log lines."""
    out.write('{"incidents": [')
    _write_list(map(incident_fields, found.incidents), out)
    out.write('],\n "findings": [')
    _write_list(({**finding_fields(finding), "incident": own} for finding, own in found.findings), out)
    out.write("]}\n")


def write_csv(found: FoundIncidents, out: TextIO) -> None:
    """A header and one finding a line, as RFC 4180 has it.

    Nothing known is an empty field. Text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for finding, incident in found.findings:
        fields = {**finding_fields(finding), "incident": incident}
        writer.writerow([_cell(fields[column]) for column in CSV_COLUMNS])


CSV_COLUMNS = (
    "id",
    "incident",
    "pipeline",
    "layer",
    "stage",
    "topic",
    "kind",
    "cause",
    "detected_at",
    "occurred_at",
    "gap_seconds",
    "cluster_id",
    "topic_id",
    "physical_topic",
    "partition",
    "offset",
    "ordinal",
    "first_cluster_id",
    "first_topic_id",
    "first_physical_topic",
    "first_partition",
    "first_offset",
    "fingerprint",
    "idempotence_would_prevent",
    "missing_evidence",
)
"""In the order that a person reads; all fields of a finding's log line, and its incident."""


def incident_fields(incident: Incident) -> dict[str, object]:
    """An incident as plain values for JSON."""
    return {
        "id": incident.id,
        "pipeline": incident.pipeline,
        "layer": str(incident.layer),
        "stage": incident.stage,
        "cause": incident.cause,
        "count": incident.count,
        "conflicting": incident.conflicting,
        "first_detected_at": iso(incident.detected[0]),
        "last_detected_at": iso(incident.detected[1]),
        "first_occurred_at": iso(incident.occurred[0]),
        "last_occurred_at": iso(incident.occurred[1]),
        "examples": [_position_fields(position) for position in incident.examples],
    }


def _position_fields(position: Position) -> dict[str, object]:
    return {
        "cluster_id": position.cluster_id,
        "topic_id": position.topic_id,
        "physical_topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
    }


def _write_list(items: Iterator[Mapping[str, object]], out: TextIO) -> None:
    """Items of a JSON array, one a line, so that a long answer needs no second copy in memory."""
    between = "\n  "
    for item in items:
        out.write(between + json.dumps(item, ensure_ascii=False))
        between = ",\n  "


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = " ".join(map(str, value))
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA_SIGNS) else text


def _paragraph(incident: Incident) -> Iterator[str]:
    conflicting = f", {incident.conflicting:,} conflicting" if incident.conflicting else ""
    count = f"{plural(incident.count, 'duplicate')}{conflicting}"
    yield f"{incident.id}  {incident.pipeline}  {incident.layer} ({incident.stage})  {count}"
    yield f"  cause     {incident.cause}"
    yield f"  detected  {_between(incident.detected)}"
    yield f"  occurred  {_between(incident.occurred)}"
    if incident.examples:
        more = ", …" if incident.count > len(incident.examples) else ""
        yield f"  at        {', '.join(map(str, incident.examples))}{more}"
    yield ""


def _between(moments: tuple[float, float]) -> str:
    first, last = (iso(moment) or "no date" for moment in moments)
    return first if first == last else f"{first} to {last}"


def _summary(found: FoundIncidents) -> str:
    span = _span(found)
    if not found.count:
        return f"no duplicates{span}"
    layers = Counter(finding.layer for finding, _ in found.findings)
    parts = ", ".join(f"{layers[layer]:,} {layer}" for layer in Layer if layers[layer])
    conflicting = sum(finding.kind is Kind.CONFLICTING for finding, _ in found.findings)
    shown = plural(len(found.findings), "duplicate")
    of_all = f" (the newest of {found.count:,})" if found.count > len(found.findings) else ""
    told = f"{plural(len(found.incidents), 'incident')}, {shown}{of_all}{span}: {parts}"
    return f"{told}; {conflicting:,} conflicting" if conflicting else told


def _span(found: FoundIncidents) -> str:
    """The span of detection in words."""
    since, until = found.span
    parts = [] if since is None else [f"since {iso(since)}"]
    parts += [] if until is None else [f"before {iso(until)}"]
    return f" detected {' and '.join(parts)}" if parts else ""
