"""A scenario on real clusters: the program at work and scraped, and the truth at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import yaml

from support.dump import Dumped, dump
from support.dupscope_process import DupscopeProcess, Scraper
from support.oracle import SOURCE, Effect, Flow, Truth, judge

EXACT = (
    "records_total",
    "unkeyed_records_total",
    "duplicates_total",
    "intended_duplicates_total",
    "duplicate_effects_total",
    "sink_extra_copies_total",
    "missing_total",
    "recovered_total",
    "unverified_total",
    "suspects",
    "ledger_unbalanced_cases",
    "coverage_holes_total",
    "audit_lines_total",
    "audit_invalid_lines_total",
    "findings_dropped_total",
)
"""Metrics that must have exactly the values that the lists give, and no others that are not zero."""

KEPT = (*EXACT, "oldest_suspect_timestamp_seconds", "coverage_start_timestamp_seconds", "tail_lag_records")
"""Metrics that a scraper of a scenario keeps."""

Stages = Mapping[tuple[str, str], str]


class Acting(Protocol):
    """A sink's own list of its effects, and the audit log that the program reads."""

    def audit_section(self) -> dict[str, object]:
        """`audit` in the configuration."""

    def audit_lines(self) -> int:
        """How many lines the audit log has."""

    def effects_by(self, stages: Stages) -> list[Effect]:
        """Its effects in the order of its list; `stages` has the stage by (cluster, physical topic)."""


@dataclass(frozen=True)
class Log:
    """Where a stage's records lie. `cluster` is its name in the configuration and in audit lines."""

    cluster: str
    bootstrap: str
    topics: tuple[str, ...]

    def dump(self) -> list[Dumped]:
        """All committed records of the topics as they are now."""
        return [record for topic in self.topics for record in dump(self.bootstrap, topic)]


@dataclass
class Lists:
    """What lies in the logs and in the sinks' own lists at one moment, and the truth about it."""

    flow: Flow
    logs: dict[str, list[Dumped]]
    effects: dict[str, list[Effect]]
    audit_lines: dict[str, int]
    truth: Truth


@dataclass
class Pipeline:
    """One pipeline: its shape for the oracle, where its parts are, and its section of the configuration.

    `settings` adds keys to the pipeline's section, `stages` to those of single stages.
    """

    name: str
    flow: Flow
    logs: dict[str, Log]
    sinks: dict[str, Acting] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    stages: dict[str, dict[str, object]] = field(default_factory=dict)

    def section(self) -> dict[str, object]:
        """The pipeline's section of the configuration file."""
        return {
            "key": {"json": list(self.flow.key)},
            "window": "24h",
            "start": "earliest",
            "source": self._log(SOURCE),
            "mirrors": {
                name: {"from": above, **self._log(name)} for name, above in self.flow.mirrors.items()
            },
            "sinks": {name: self._sink(name) for name in self.flow.sinks},
            **self.settings,
        }

    def _log(self, stage: str) -> dict[str, object]:
        log = self.logs[stage]
        return {"cluster": log.cluster, "topics": list(log.topics), **self.stages.get(stage, {})}

    def _sink(self, stage: str) -> dict[str, object]:
        reads, audit = list(self.flow.sinks[stage]), self.sinks[stage].audit_section()
        return {"reads": reads, "group": stage, "audit": audit, **self.stages.get(stage, {})}

    def lists(self) -> Lists:
        """Most downstream first: whatever acted on, or copied, something finds it in the lists above."""
        stages = {(log.cluster, topic): stage for stage, log in self.logs.items() for topic in log.topics}
        lines = {name: sink.audit_lines() for name, sink in self.sinks.items()}
        effects = {name: sink.effects_by(stages) for name, sink in self.sinks.items()}
        logs = {stage: self.logs[stage].dump() for stage in reversed([SOURCE, *self.flow.mirrors])}
        return Lists(self.flow, logs, effects, lines, judge(self.flow, logs, effects))


@dataclass
class Checkpoint:
    """The lists as they were after so many scrapes, by pipeline."""

    scrapes: int
    lists: dict[str, Lists]

    @property
    def only(self) -> Lists:
        """The lists of the one pipeline of the scenario."""
        (lists,) = self.lists.values()
        return lists

    @property
    def truth(self) -> Truth:
        return self.only.truth


class Scenario:
    """The program with its pipelines, from `start` until the block is left. `clusters` has client properties.

    Everything it writes lies under `folder`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        clusters: Mapping[str, Mapping[str, object]],
        pipelines: Sequence[Pipeline],
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.pipelines = {pipeline.name: pipeline for pipeline in pipelines}
        self.checkpoints: list[Checkpoint] = []
        self._clusters = clusters
        self._extra = dict(extra or {})
        self.dupscope = DupscopeProcess(self.write_configuration(folder / "live"))
        self.scraper = Scraper(self.dupscope, KEPT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scraper.stop()
        self.dupscope.close()

    def start(self) -> None:
        """Start the program and scrape it every 100 ms from its first answer on."""
        self.dupscope.start()
        self.scraper.start()

    def write_configuration(self, folder: Path) -> Path:
        """A configuration file in a new `folder`, with a state of its own in there."""
        folder.mkdir(parents=True)
        path = folder / "dupscope.yaml"
        path.write_text(yaml.safe_dump(self._configuration(folder / "state")))
        return path

    def _configuration(self, state: Path) -> dict[str, object]:
        return {
            "clusters": {name: dict(properties) for name, properties in self._clusters.items()},
            "pipelines": {name: pipeline.section() for name, pipeline in self.pipelines.items()},
            "state": {"path": str(state)},
            "web": {"listen": "127.0.0.1:0"},
            "log": {"findings_per_second": 100_000},
            **self._extra,
        }

    def checkpoint(self) -> Checkpoint:
        """Note the lists: no scrape until now may have shown a duplicate that is not in them."""
        scrapes = len(self.scraper.samples)
        lists = {name: pipeline.lists() for name, pipeline in self.pipelines.items()}
        self.checkpoints.append(Checkpoint(scrapes, lists))
        return self.checkpoints[-1]
