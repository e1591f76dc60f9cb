"""One case of the fault suite: traffic, the program in many runs, and what must hold however they die."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from support import fault_table
from support.agreement import COMPARED, difference, differences, expected_metrics
from support.dupscope_process import Series, named, total
from support.running import Running
from support.runs import Runs, lasting_port
from support.scenario import Checkpoint, Lists, Log, Pipeline
from support.traffic import MIRROR, PIPELINE, SINK, Route, Traffic
from support.truth import SOURCE, Flow
from support.waiting import DeadlineExceededError, wait_until
from support.watch import Watch

SETTLE_SECONDS = 90
QUIET_SCRAPES = 25

SMALL_JOURNAL: Mapping[str, object] = {}
"""Settings by which a checkpoint comes after little traffic."""


@dataclass(frozen=True)
class Terms:
    """What is peculiar to a case.

    name      of its row in the table
    cluster   what it runs on: `mock` or `real`
    seen      bootstrap servers by cluster as the program shall see them, where others than the traffic
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
    """All is ended when the block is left. Traffic and program are the test's to start."""

    def __init__(self, folder: Path, route: Route, seed: int, terms: Terms) -> None:
        super().__init__()
        self.folder = folder
        self.terms = terms
        self.cycles = 0
        self._began = time.monotonic()
        self.traffic = Traffic(route, folder / "audit.jsonl", seed)
        self._running.callback(self.traffic.close)
        self.pipeline = self._pipeline(route)
        self.port = lasting_port()
        self.config = self._configure(route)
        self.runs = Runs(self.config)
        self._running.callback(self.runs.close)
        self.watch = Watch(f"http://127.0.0.1:{self.port}", self.traffic.tally, terms.allowed)
        self._running.callback(self.watch.stop)

    def look(self, scrapes: int) -> None:
        """Wait until the current run has answered so many scrapes more. Raises when it has died."""
        goal, run = self.watch.scrapes + scrapes, self.runs.current.process
        wait_until(lambda: run.assert_running() and self.watch.scrapes >= goal, SETTLE_SECONDS, "scrapes")

    # ------------------------------------------------------------------ at the end

    def settle(self) -> Lists:
        """Stop the traffic and let the current run catch up: it must show what the lists say, and no more."""
        self.traffic.stop()
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

    def _hand_in(self, lists: Lists) -> None:
        assert self.runs.current.process.stop(timeout=10) == 0, self.runs.current.process.tail()
        fault_table.add(self._row(lists))

    def finish_degraded(self) -> Lists:
        """The same after a fault that costs verdicts: none is false, and what was not reported is counted."""
        self.traffic.stop()
        lists = self.pipeline.lists()
        self._check_lists(lists)
        read = {
            name: count for name, count in expected_of(lists).items() if name[0].endswith("records_total")
        }
        self._wait_equal(read, ("records_total",))
        self.look(QUIET_SCRAPES)
        assert self.watch.problems == []
        assert self.runs.contradictions() == []
        assert self.runs.findings() <= lists.truth.extras
        silent = (lists.truth.extras - self.runs.findings()).total()
        assert 0 < silent <= total(self.watch.last, "unverified_total")
        self._hand_in(lists)
        return lists

    def _check_lists(self, lists: Lists) -> None:
        """The traffic's lists, the logs themselves and the oracle agree: none of them is wrong alone."""
        for stage, writer in ((SOURCE, self.traffic.source), (MIRROR, self.traffic.mirror)):
            assert sorted(lists.logs[stage]) == sorted(writer.log), f"{stage} is not as it was written"
        truth, planted = lists.truth, self.traffic.tally.now()
        noted = {name: count for name, count in planted.items() if name[0] != "dupscope_records_total"}
        told = expected_of(lists)
        assert differences({name: told.get(name, 0) for name in noted}, noted) == {}
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])
        assert {layer: truth.layer(layer) for layer in fault_table.LAYERS} == self.traffic.planted()

    def _wait_equal(self, expected: Mapping[Series, float], names: tuple[str, ...] = COMPARED) -> None:
        def wrong() -> dict[str, tuple[float, float]]:
            return differences(expected, named(self.watch.last, *names))

        try:
            wait_until(
                lambda: self.runs.current.process.assert_running() and not wrong(),
                SETTLE_SECONDS,
                "numbers are equal",
            )
        except DeadlineExceededError:
            assert wrong() == {}, "(expected, shown)"
            raise

    def _check(self, lists: Lists, expected: Mapping[Series, float]) -> None:
        assert self.watch.problems == []
        assert differences(expected, named(self.watch.last, *COMPARED)) == {}, "(expected, shown)"
        for stage in lists.logs:
            shown = total(self.watch.last, "unkeyed_records_total", pipeline=PIPELINE, stage=stage)
            assert (stage, shown) == (stage, lists.truth.unkeyed[stage])
        assert difference(lists.truth.extras, self.runs.findings()) == {}, "(expected, logged)"
        assert self.runs.contradictions() == []

    def _row(self, lists: Lists) -> fault_table.Row:
        found, true = self.runs.findings(), lists.truth.extras
        shown: Counter[str] = Counter()
        for (name, labels), value in self.watch.last.items():
            if name == "dupscope_duplicates_total":
                shown[dict(labels)["layer"]] += int(value)
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

    # ------------------------------------------------------------------ the pipeline

    def _pipeline(self, route: Route) -> Pipeline:
        flow = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, {route.mirrored: route.topic})
        logs = {
            SOURCE: Log("primary", route.primary, (route.topic,)),
            MIRROR: Log("dr", route.dr, (route.mirrored,)),
        }
        stages = {SINK: {"group": self.traffic.sink.group}}
        return Pipeline(PIPELINE, flow, logs, {SINK: self.traffic.sink}, dict(self.terms.settings), stages)

    def _configure(self, route: Route) -> Path:
        seen = {"primary": route.primary, "dr": route.dr, **self.terms.seen}
        document = {
            "clusters": {name: {"bootstrap.servers": servers} for name, servers in seen.items()},
            "pipelines": {PIPELINE: self.pipeline.section()},
            "state": {"path": str(self.folder / "state")},
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"findings_per_second": 0},
            **self.terms.extra,
        }
        file = self.folder / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        return file


def expected_of(lists: Lists) -> dict[Series, float]:
    """All series that are not zero, by the lists."""
    return expected_metrics(Checkpoint(0, {PIPELINE: lists}))


def often(usual: int) -> int:
    """How often a fault comes: `usual`, or as DUPSCOPE_FAULT_CYCLES asks of the case that usually has 50."""
    asked = os.environ.get("DUPSCOPE_FAULT_CYCLES")
    return usual if asked is None else max(1, usual * int(asked) // 50)


def soaking() -> bool:
    """Whether the long form is asked for."""
    return "DUPSCOPE_FAULT_CYCLES" in os.environ
