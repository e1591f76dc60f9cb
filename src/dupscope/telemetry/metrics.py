"""The metrics of one process: the loop's totals, and what the outside sees of them."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prometheus_client.registry import CollectorRegistry

from dupscope.model.finding import Finding
from dupscope.model.plain import Plain
from dupscope.telemetry.catalogue import BY_NAME
from dupscope.telemetry.exposition import SnapshotCollector, expose
from dupscope.telemetry.shape import Labels, PipelineShape
from dupscope.telemetry.totals import TOPIC_BUDGET, Snapshot, Totals

FINDINGS_SHOWN = 50

READ_AGAIN = (
    "records_total",
    "unkeyed_records_total",
    "intended_duplicates_total",
    "duplicate_effects_total",
    "sink_extra_copies_total",
    "missing_total",
    "recovered_total",
    "unverified_total",
    "audit_lines_total",
    "audit_invalid_lines_total",
    "detection_delay_seconds",
)
"""What rises again when logs are read again."""

FOUND_AGAIN = ("duplicates_total", "duplicate_gap_seconds")
"""What rises with each finding; one that is known does not count again."""


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands at the end of a cycle.

    `reason` says why it is not ready yet, in words for a person. Times are in seconds since 1970. `findings`
    are the latest ones, newest first, at most `FINDINGS_SHOWN`.
    """

    ready: bool
    reason: str
    started_at: float
    now: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What one cycle made visible. Immutable, hence safe in any thread."""

    snapshot: Snapshot
    state: RunState


class Metrics:
    """Totals of the loop's thread, shown to others only as a whole and only by `publish`.

    The loop calls `add`, `set`, `observe` and, once a cycle after its commit, `publish`; none of them blocks.
    Any thread may read `published` and call `render`.
    """

    def __init__(
        self, shapes: Iterable[PipelineShape], version: str, topic_budget: int = TOPIC_BUDGET
    ) -> None:
        self.shapes = tuple(shapes)
        self.version = version
        self._totals = Totals(topic_budget)
        for shape in self.shapes:
            self._totals.declare(shape)
        self._totals.set("build_info", (version, platform.python_version()), 1)
        self._published = Published(self._totals.freeze(), RunState(False, "starting", 0.0, 0.0))
        self.are_withheld = False
        """Nothing may be shown, since counters are not known yet: a counter that falls is a false alarm."""
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(SnapshotCollector(lambda: self._published.snapshot))

    @property
    def published(self) -> Published:
        """What the last `publish` made visible."""
        return self._published

    def declare(self, shape: PipelineShape) -> None:
        """Create the series of a pipeline that has grown: topics or tails found while running."""
        self.shapes = tuple(shape if known.name == shape.name else known for known in self.shapes)
        self._totals.declare(shape)

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        """Raise a counter."""
        self._totals.add(name, labels, amount)

    def raise_to(self, name: str, labels: Labels, value: float) -> None:
        """Raise a counter that is kept elsewhere to its value there."""
        self._totals.add(name, labels, max(0.0, value - self._totals.value(name, labels)))

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Give a gauge its present value."""
        self._totals.set(name, labels, value)

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Add one observation to a histogram."""
        self._totals.observe(name, labels, value)

    def observe_many(self, name: str, labels: Labels, values: Iterable[float]) -> None:
        """Add observations to a histogram."""
        self._totals.observe_many(name, labels, values)

    def publish(self, state: RunState) -> None:
        """Make everything since the last call visible at once."""
        self.are_withheld = False
        self._published = Published(self._totals.freeze(), state)

    def amend(self, state: RunState, gauges: Mapping[str, float]) -> None:
        """Publish a state and gauges without labels; nothing else that changed since the last `publish`."""
        shown = self._published.snapshot
        values = dict(shown.values)
        for name, value in gauges.items():
            self._totals.set(name, (), value)
            values[name] = MappingProxyType({(): value})
        self._published = Published(Snapshot(MappingProxyType(values), shown.histograms), state)

    # ------------------------------------------------------------------ what is stored

    @property
    def has_changed(self) -> bool:
        """Whether anything that is stored changed since the last `settle`."""
        return self._totals.has_changed

    def changed(self, *, everything: bool = False) -> list[Plain]:
        """Stored values that changed since `settle`, or all."""
        return self._totals.everything() if everything else self._totals.changed()

    def settle(self) -> None:
        """What `changed` gave was stored."""
        self._totals.settle()

    def restore(self, stored: Iterable[Plain]) -> None:
        """Go on from stored values, those of the pipelines that there are."""
        names = {shape.name for shape in self.shapes}
        kept = [each for each in stored if _pipeline_of(each) in {None, *names}]
        self._totals.restore(kept)

    def restart(self, pipeline: str, *, findings: bool) -> None:
        """Begin at 0 what will be counted again of a pipeline that begins anew; also `findings` or not."""
        self._totals.restart(pipeline, READ_AGAIN + FOUND_AGAIN if findings else READ_AGAIN)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition of what is published, and its content type, for an Accept header."""
        return expose(self.registry, accept)


def _pipeline_of(stored: Any) -> str | None:  # noqa: ANN401 - a stored tree
    """The pipeline of a stored value; None where its metric has none."""
    name, labels, _ = stored
    metric = BY_NAME.get(name)
    return labels[0] if metric is not None and metric.labels[:1] == ("pipeline",) else None
