"""What dupscope says, read from its metrics page as Prometheus would."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dupscope.app.demo.planted import Counts
from dupscope.model.layer import Layer

TIMEOUT_SECONDS = 5.0
SETTLED_SECONDS = 1.5
"""Numbers that did not change for so long, several cycles and a commit of dupscope's, count as settled."""

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
    """Tells when dupscope has read everything, suspects nothing, and says the same for a while.

    `said` is what it said last, settled or not. `clock` is monotonic, in seconds.
    """

    def __init__(self, there: Read, sample: Sample, clock: Callable[[], float] = time.monotonic) -> None:
        self._there = there
        self._clock = clock
        self._since = clock()
        self.said = reported(sample)

    def is_settled(self, sample: Sample) -> bool:
        """Whether this sample, seen after the former ones, settles it."""
        said = reported(sample)
        busy = read(sample) != self._there or total(sample, "suspects") > 0
        if busy or said != self.said:
            self.said, self._since = said, self._clock()
        return not busy and self._clock() - self._since >= SETTLED_SECONDS


def read(sample: Sample) -> Read:
    """How much dupscope has read."""
    return Read(
        total(sample, "records_total", stage="source"),
        total(sample, "records_total") - total(sample, "records_total", stage="source"),
        total(sample, "audit_lines_total"),
    )
