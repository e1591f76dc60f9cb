"""Scraping one address through all deaths of the program behind it, and what no scrape may show."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from support.dupscope_process import SCRAPE_SECONDS, Sample, Series, parse_metrics

BOUNDED = (
    "records_total",
    "duplicates_total",
    "duplicate_effects_total",
    "sink_extra_copies_total",
    "audit_lines_total",
    "intended_duplicates_total",
    "missing_total",
    "recovered_total",
    "unverified_total",
    "audit_invalid_lines_total",
    "coverage_holes_total",
    "findings_dropped_total",
    "index_evictions_total",
    "ledger_unbalanced_cases",
    "store_resets_total",
)
"""Metrics that never show more than was planted: most of them nothing, since nothing of it is planted."""

COUNTING = ("_total", "_bucket", "_sum", "_count")
TIMEOUT_SECONDS = 2
MOST_PROBLEMS = 20


class Watch:
    """Scrapes every 100 ms from `start` to `stop`. `problems` has what must not be, in words.

    planted  tells, after a scrape, what it may have shown at most; without it only falling is noticed
    allowed  names metrics that may show anything: those of a fault that costs verdicts by design
    """

    def __init__(
        self,
        url: str,
        planted: Callable[[], Mapping[Series, float]] | None,
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.url = url
        self.scrapes = self.unanswered = 0
        self.problems: list[str] = []
        self.last: Sample = {}
        self._planted = planted
        self._bounded = {f"dupscope_{name}" for name in BOUNDED if name not in allowed}
        self._counters: Sample = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join()

    def bounds(self, name: Series) -> bool:
        """Whether a series may show no more than was planted."""
        return name[0] in self._bounded

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self._see(self._scrape())
            except (OSError, urllib.error.URLError, http.client.HTTPException):
                self.unanswered += 1
            due = max(due + SCRAPE_SECONDS, time.monotonic())
            self._stop.wait(max(due - time.monotonic(), 0))

    def _scrape(self) -> Sample:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=TIMEOUT_SECONDS) as response:
            return parse_metrics(response.read().decode())

    def _see(self, sample: Sample) -> None:
        planted = None if self._planted is None else self._planted()
        counters = {name: value for name, value in sample.items() if counts(name)}
        for name, value in self._counters.items():
            if counters.get(name, 0) < value:
                self._object(f"{text(name)} fell from {value} to {counters.get(name)}")
        for name, value in sample.items() if planted is not None else ():
            if self.bounds(name) and value > planted.get(name, 0):
                self._object(f"{text(name)} is {value} where {planted.get(name, 0)} are planted")
        self._counters, self.last = counters, sample
        self.scrapes += 1

    def _object(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"scrape {self.scrapes}: {problem}")


def counts(name: Series) -> bool:
    """Whether a series belongs to a counter or a histogram of the program itself."""
    return name[0].startswith("dupscope_") and name[0].endswith(COUNTING)


def text(name: Series) -> str:
    return f"{name[0]}{dict(sorted(name[1]))}"
