"""One case of the fault suite: the program in many runs, and what must hold however they die."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from support import fault_table
from support.agreement import COMPARED, difference, differences, expected_metrics
from support.dupscope_process import Series, named, total
from support.running import Running
from support.runs import Runs, lasting_port
from support.scenario import Checkpoint, Lists, Pipeline
from support.verification import by_label
from support.waiting import DeadlineExceededError, wait_until
from support.watch import Watch

SETTLE_SECONDS = 90
QUIET_SCRAPES = 25

JOURNAL = "32KiB"
"""After so much journal comes a checkpoint: every few seconds at the rate of the traffic here."""


@dataclass(frozen=True)
class Terms:
    """What is peculiar to a case.

    name      of its row in the table
    cluster   what it runs on: `mock` or `real`
    seen      bootstrap servers by cluster as the program shall see them, where others than the test
    settings  keys of the pipeline's section
    extra     further sections of the configuration
    allowed   metrics that may show more than is planted
    """

    name: str
    cluster: str = "mock"
    seen: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()


class FaultCase(Running):
    """All is ended when the block is left. The runs and the watch are the test's to start.

    `planted` tells what any scrape may show at most; None where that is known only at the end.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Pipeline,
        terms: Terms,
        planted: Callable[[], Mapping[Series, float]] | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.pipeline = pipeline
        self.terms = terms
        self.cycles = 0
        self._began = time.monotonic()
        self.port = lasting_port()
        self.runs = Runs(self._configure())
        self._running.callback(self.runs.close)
        self.watch = Watch(f"http://127.0.0.1:{self.port}", planted, terms.allowed)
        self._running.callback(self.watch.stop)

    def look(self, scrapes: int) -> None:
        """Wait until the current run has answered so many scrapes more. Raises when it has died."""
        goal, run = self.watch.scrapes + scrapes, self.runs.current.process
        wait_until(lambda: run.assert_running() and self.watch.scrapes >= goal, SETTLE_SECONDS, "scrapes")

    # ------------------------------------------------------------------ at the end

    def settle(self) -> Lists:
        """All has come to rest: the current run catches up, shows what the lists say, and no more."""
        lists = self.pipeline.lists()
        self._check_lists(lists)
        expected = expected_of(lists)
        self._wait_equal(expected)
        self.look(QUIET_SCRAPES)
        self._check(lists, expected)
        return lists

    def finish(self) -> Lists:
        """Settle, end the run in order and hand in the row."""
        lists = self.settle()
        self._hand_in(lists)
        return lists

    def finish_degraded(self) -> Lists:
        """The same after a fault that costs verdicts: none is false, and what was not reported is counted."""
        lists = self.pipeline.lists()
        self._check_lists(lists)
        read = {
            name: count for name, count in expected_of(lists).items() if name[0].endswith("records_total")
        }
        self._wait_equal(read, ("records_total",))
        self.look(QUIET_SCRAPES)
        self._check_words()
        assert self.runs.findings() <= lists.truth.extras
        silent = (lists.truth.extras - self.runs.findings()).total()
        assert 0 < silent <= total(self.watch.last, "unverified_total")
        self._hand_in(lists)
        return lists

    def not_ahead(self) -> None:
        """What was shown until now is no more than what the lists say now."""
        shown = dict(self.watch.last)
        told = expected_of(self.pipeline.lists())
        ahead = {name: (told.get(name, 0), value) for name, value in shown.items() if self.watch.bounds(name)}
        assert {name: pair for name, pair in ahead.items() if pair[1] > pair[0]} == {}, "(true, shown)"

    def _hand_in(self, lists: Lists) -> None:
        assert self.runs.current.process.stop(timeout=10) == 0, self.runs.current.process.tail()
        fault_table.add(self._row(lists))

    def _check_lists(self, lists: Lists) -> None:
        """The lists are what the fault suite can judge: nothing lost, nothing that nobody can speak for."""
        truth = lists.truth
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])

    def _wait_equal(self, expected: Mapping[Series, float], names: tuple[str, ...] = COMPARED) -> None:
        def wrong() -> dict[str, tuple[float, float]]:
            return differences(expected, named(self.watch.last, *names))

        run = self.runs.current.process
        try:
            wait_until(lambda: run.assert_running() and not wrong(), SETTLE_SECONDS, "numbers are equal")
        except DeadlineExceededError:
            assert wrong() == {}, "(expected, shown)"
            raise

    def _check(self, lists: Lists, expected: Mapping[Series, float]) -> None:
        self._check_words()
        assert differences(expected, named(self.watch.last, *COMPARED)) == {}, "(expected, shown)"
        for stage in lists.logs:
            shown = total(self.watch.last, "unkeyed_records_total", stage=stage)
            assert (stage, shown) == (stage, lists.truth.unkeyed[stage])
        assert difference(lists.truth.extras, self.runs.findings()) == {}, "(expected, logged)"

    def _check_words(self) -> None:
        """No scrape and no log line said what must not be said."""
        assert self.watch.problems == []
        assert self.runs.contradictions() == []

    def _row(self, lists: Lists) -> fault_table.Row:
        found, true = self.runs.findings(), lists.truth.extras
        shown = by_label(self.watch.last, "duplicates_total", "layer")
        return fault_table.Row(
            self.terms.name,
            self.terms.cluster,
            self.cycles,
            sum(len(log) for log in lists.logs.values()),
            {layer: lists.truth.layer(layer) for layer in fault_table.LAYERS},
            {layer: shown[layer] for layer in fault_table.LAYERS},
            (found - true).total(),
            (true - found).total(),
            time.monotonic() - self._began,
        )

    def _configure(self) -> Path:
        logs = self.pipeline.logs.values()
        seen = {**{log.cluster: log.bootstrap for log in logs}, **self.terms.seen}
        document = {
            "clusters": {name: {"bootstrap.servers": servers} for name, servers in seen.items()},
            "pipelines": {self.pipeline.name: {**self.pipeline.section(), **self.terms.settings}},
            "state": {"path": str(self.folder / "state"), "journal": JOURNAL},
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"findings_per_second": 0},
            **self.terms.extra,
        }
        file = self.folder / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        return file


def expected_of(lists: Lists) -> Counter[Series]:
    """All series that are not zero, by the lists."""
    return Counter(expected_metrics(Checkpoint(0, {"payments": lists})))


def often(usual: int) -> int:
    """How often a fault comes: `usual`, or as DUPSCOPE_FAULT_CYCLES asks of the case that usually has 50."""
    asked = os.environ.get("DUPSCOPE_FAULT_CYCLES")
    return usual if asked is None else max(1, usual * int(asked) // 50)


def soaking() -> bool:
    """Whether the long form is asked for."""
    return "DUPSCOPE_FAULT_CYCLES" in os.environ
