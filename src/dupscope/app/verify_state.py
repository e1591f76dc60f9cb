"""What the stored state says of one pipeline at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dupscope.app.saved import SavedPipeline, saved_pipelines
from dupscope.audit.reasons import InvalidReason
from dupscope.model.errors import StoreError
from dupscope.model.finding import Finding, Reason
from dupscope.model.layer import Layer
from dupscope.store.reader import StoreReader
from dupscope.telemetry.catalogue import BY_NAME

TOLD_BY_NOBODY_ELSE = frozenset(
    {Reason.EXPIRED, Reason.OPEN_TRANSACTION, Reason.UNREADABLE, Reason.TOPIC_DELETED}
)
"""Reasons that rest on when something was read: what is read again does not show them."""

UNPLACED = frozenset({Reason.NO_COPY, Reason.POSITION_MISMATCH, Reason.NOT_IN_SOURCE})
"""Reasons of effects whose copy was forgotten when the line was read, or had nothing upstream then: besides
those of which that is still so."""

Totals = dict[tuple[str, tuple[str, ...]], float]


@dataclass(frozen=True, slots=True)
class StoredState:
    """One commit, seen from outside.

    number      of the commit
    findings    of the pipeline, in order of detection
    kept_ms     when the oldest finding in the store was detected, if older ones were dropped
    unverified, unplaced
                see `forensics.comparison.Stored`
    rotated     sinks whose audit log has been another file before
    """

    number: int
    saved: SavedPipeline
    findings: tuple[Finding, ...]
    kept_ms: int | None
    unverified: int
    unplaced: int
    rotated: frozenset[str]


def look(folder: Path, pipeline: str) -> StoredState:
    """The last commit. Raises StoreError where there is none of the pipeline."""
    with StoreReader(folder) as reader:
        contents = reader.contents
        if pipeline not in contents.pipelines:
            raise StoreError(f"{folder}: nothing is stored of pipeline '{pipeline}' yet")
        findings = tuple(reader.findings())
        first = contents.last.findings[0] if contents.last else 1
        totals = _totals(contents.totals)
        return StoredState(
            contents.seq,
            saved_pipelines(reader)[pipeline],
            tuple(finding for finding in findings if finding.pipeline == pipeline),
            kept_ms(first, findings),
            _sum(totals, pipeline, _hides),
            _sum(totals, pipeline, _is_unplaced),
            _rotated(totals, pipeline),
        )


def kept_ms(first: int, findings: Sequence[Finding]) -> int | None:
    """When the oldest finding was detected, unless none was dropped; `first` is its number in the store."""
    return int(findings[0].detected_at * 1000) if first > 1 and findings else None


def _totals(stored: Iterable[Any]) -> Totals:
    """Values of counters and gauges by metric and labels; of a series the last counts."""
    return {
        (name, tuple(labels)): float(value)
        for name, labels, value in stored
        if isinstance(value, int | float)
    }


def _sum(totals: Totals, pipeline: str, is_wanted: Callable[[str, tuple[str, ...]], bool]) -> int:
    """The sum of a pipeline's series that are wanted, by name and labels."""
    mine = (
        value
        for (name, labels), value in totals.items()
        if name in BY_NAME and labels[:1] == (pipeline,) and is_wanted(name, labels)
    )
    return int(sum(mine))


def _hides(name: str, labels: tuple[str, ...]) -> bool:
    """Whether a series counts what may be a duplicate and no finding."""
    is_silent = name in {"intended_duplicates_total", "index_evictions_total"}
    return is_silent or _reason(name, labels) in TOLD_BY_NOBODY_ELSE


def _is_unplaced(name: str, labels: tuple[str, ...]) -> bool:
    return _reason(name, labels) in UNPLACED and labels[BY_NAME[name].labels.index("layer")] == Layer.CONSUME


def _reason(name: str, labels: tuple[str, ...]) -> str | None:
    """Why something is unverified; None for another metric."""
    return labels[BY_NAME[name].labels.index("reason")] if name == "unverified_total" else None


def _rotated(totals: Totals, pipeline: str) -> frozenset[str]:
    name = "audit_invalid_lines_total"
    stage, reason = BY_NAME[name].labels.index("stage"), BY_NAME[name].labels.index("reason")
    return frozenset(
        labels[stage]
        for (metric, labels), value in totals.items()
        if metric == name and labels[:1] == (pipeline,) and value and labels[reason] == InvalidReason.ROTATED
    )
