"""What dupscope says, read from its metrics page as Prometheus would."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from dupscope.app.demo.planted import Counts
from dupscope.model.finding import Layer

TIMEOUT_SECONDS = 5.0
SETTLED_CYCLES = 5
"""So many cycles of dupscope's loop without a change count as settled."""

Sample = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""Value by metric name, without prefix, and labels."""

_LINE = re.compile(r"dupscope_(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Reported:
    """Duplicates by layer, extra charges by origin, and what it could not verify."""

    duplicates: Counts
    effects: Counts
    unverified: int


@dataclass(frozen=True, slots=True)
class Read:
    """How much there is to read: records of both logs, lines of the audit file."""

    source: int
    mirror: int
    audit: int


def scrape(url: str) -> Sample:
    """The metrics as they are now. OSError when nobody answers."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return parse(answer.read().decode())


def parse(exposition: str) -> Sample:
    """All series of dupscope's in a text exposition."""
    found = (_LINE.fullmatch(line) for line in exposition.splitlines())
    return {
        (match["name"], frozenset(_LABEL.findall(match["labels"] or ""))): float(match["value"])
        for match in found
        if match
    }


def total(sample: Sample, name: str, **labels: str) -> int:
    """The sum over a metric's series with these labels."""
    wanted = labels.items()
    return int(
        sum(value for (metric, having), value in sample.items() if metric == name and wanted <= having)
    )


def reported(sample: Sample) -> Reported:
    """The answer that the metrics give."""
    return Reported(
        {layer: total(sample, "duplicates_total", layer=layer) for layer in Layer},
        {layer: total(sample, "duplicate_effects_total", origin=layer) for layer in Layer},
        total(sample, "unverified_total"),
    )


class Settling:
    """Tells when dupscope has read everything, suspects nothing, and says the same for some cycles.

    `said` is what it said last, settled or not.
    """

    def __init__(self, there: Read, sample: Sample) -> None:
        self._there = there
        self._since_cycle = _cycles(sample)
        self.said = reported(sample)

    def is_settled(self, sample: Sample) -> bool:
        """Whether this sample, seen after the former ones, settles it."""
        said, cycles = reported(sample), _cycles(sample)
        busy = read(sample) != self._there or total(sample, "suspects") > 0
        if busy or said != self.said:
            self.said, self._since_cycle = said, cycles
        return not busy and cycles - self._since_cycle >= SETTLED_CYCLES


def _cycles(sample: Sample) -> int:
    return total(sample, "commit_duration_seconds_count")


def read(sample: Sample) -> Read:
    """How much dupscope has read."""
    return Read(
        total(sample, "records_total", stage="source"),
        total(sample, "records_total") - total(sample, "records_total", stage="source"),
        total(sample, "audit_lines_total"),
    )
