"""The values of all metrics: mutable ones that the loop owns, and immutable snapshots of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dupscope.model.plain import Plain
from dupscope.telemetry.catalogue import BY_NAME, CATALOGUE, Metric, Type
from dupscope.telemetry.shape import Labels, PipelineShape, series

OVERFLOW = "overflow"
"""The topic of everything beyond the label budget."""

TOPIC_BUDGET = 200


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations. `counts` has one number per bucket, not cumulative, and a last one for what is above."""

    counts: tuple[int, ...]
    sum: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All values at one instant, by metric name without prefix and by label values."""

    values: Mapping[str, Mapping[Labels, float]]
    histograms: Mapping[str, Mapping[Labels, Histogram]]

    def value(self, name: str, *labels: str) -> float:
        """The value of a series, 0 where there is none."""
        return self.values[name].get(labels, 0.0)

    def sum(self, name: str, **where: str) -> float:
        """The sum over the series whose labels have the given values."""
        wanted = {BY_NAME[name].labels.index(label): value for label, value in where.items()}
        return sum(
            value
            for labels, value in self.values[name].items()
            if all(labels[index] == value_ for index, value_ in wanted.items())
        )


_FOLDS: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "min": min, "max": max}


@dataclass
class Totals:
    """Values that one thread changes. Counters only rise; every series of a declared pipeline exists.

    Names are the catalogue's, without prefix; labels are values in the catalogue's order. An unknown name, a
    wrong number of labels or a falling counter is a defect of the caller and raises ValueError.
    """

    topic_budget: int = TOPIC_BUDGET
    _values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    _histograms: dict[str, dict[Labels, Histogram]] = field(default_factory=dict)
    _topics: dict[tuple[str, bool], set[str]] = field(default_factory=dict)
    _beyond: dict[tuple[str, Labels], dict[str, float]] = field(default_factory=dict)
    _changed: set[tuple[str, Labels]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for metric in CATALOGUE:
            if metric.type is Type.HISTOGRAM:
                self._histograms[metric.name] = {}
            else:
                self._values[metric.name] = {}
            if not metric.labels:
                self._create(metric, ())

    def declare(self, shape: PipelineShape) -> None:
        """Create every series of a pipeline. Again with a grown shape, it adds what is new."""
        for metric in CATALOGUE:
            for labels in series(metric, shape):
                self._create(metric, labels)

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        """Raise a counter."""
        metric = _metric(name, labels, Type.COUNTER)
        if not amount >= 0:
            raise ValueError(f"{name}: a counter cannot change by {amount}")
        child, values = self._within_budget(metric, labels), self._values[name]
        values[child] = values.get(child, 0) + amount
        if amount:
            self._changed.add((name, child))

    def value(self, name: str, labels: Labels) -> float:
        """The present value of a counter or gauge, 0 where there is none."""
        return self._values[name].get(labels, 0.0)

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Give a gauge its present value."""
        metric = _metric(name, labels, Type.GAUGE)
        child = self._within_budget(metric, labels)
        if child is not labels:
            topics = self._beyond.setdefault((name, child), {})
            topics[labels[metric.labels.index("topic")]] = value
            value = _FOLDS[metric.beyond](topics.values())
        if metric.survives and self._values[name].get(child) != value:
            self._changed.add((name, child))
        self._values[name][child] = value

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Add one observation to a histogram."""
        self.observe_many(name, labels, (value,))

    def observe_many(self, name: str, labels: Labels, values: Iterable[float]) -> None:
        """Add observations to a histogram. Below 0, where two clocks disagree, one counts as 0."""
        metric = _metric(name, labels, Type.HISTOGRAM)
        histogram = self._histograms[name].get(labels) or _empty(metric)
        counts, total = list(histogram.counts), histogram.sum
        for value in values:
            seconds = max(float(value), 0.0)
            counts[bisect_left(metric.buckets, seconds)] += 1
            total += seconds
        self._histograms[name][labels] = Histogram(tuple(counts), total)
        self._changed.add((name, labels))

    # ------------------------------------------------------------------ what is stored

    @property
    def has_changed(self) -> bool:
        """Whether a stored value changed since `settle`."""
        return bool(self._changed)

    def settle(self) -> None:
        """What changed was stored."""
        self._changed.clear()

    def changed(self) -> list[Plain]:
        """Stored values that changed since `settle`: name, labels, and value or counts and sum."""
        return [self._stored(name, labels) for name, labels in sorted(self._changed)]

    def everything(self) -> list[Plain]:
        """All stored values."""
        names = [metric.name for metric in CATALOGUE if metric.is_stored]
        return [
            self._stored(name, labels)
            for name in names
            for labels in sorted(self._values.get(name) or self._histograms.get(name) or ())
        ]

    def restore(self, stored: Iterable[Any]) -> None:
        """Go on from stored values, later ones instead of earlier ones, as far as the catalogue has them."""
        for name, labels, value in stored:
            metric = BY_NAME.get(name)
            if metric is not None and metric.is_stored and len(labels) == len(metric.labels):
                self._restore(metric, tuple(labels), value)

    def restart(self, pipeline: str, names: Iterable[str]) -> None:
        """Begin counters and histograms of a pipeline again at 0."""
        for metric in map(BY_NAME.__getitem__, names):
            index = metric.labels.index("pipeline")
            series_ = self._values.get(metric.name) or self._histograms.get(metric.name) or {}
            for labels in [each for each in series_ if each[index] == pipeline]:
                if metric.type is Type.HISTOGRAM:
                    self._histograms[metric.name][labels] = _empty(metric)
                else:
                    self._values[metric.name][labels] = 0
                self._changed.add((metric.name, labels))

    def _restore(self, metric: Metric, labels: Labels, value: Any) -> None:  # noqa: ANN401 - a stored tree
        if metric.type is not Type.HISTOGRAM:
            if OVERFLOW not in labels:
                self._within_budget(metric, labels)
            self._values[metric.name][labels] = value
        elif len(value[0]) == len(metric.buckets) + 1:
            self._histograms[metric.name][labels] = Histogram(tuple(value[0]), value[1])

    def _stored(self, name: str, labels: Labels) -> Plain:
        if name in self._values:
            return [name, list(labels), self._values[name][labels]]
        histogram = self._histograms[name][labels]
        return [name, list(labels), [list(histogram.counts), histogram.sum]]

    # ------------------------------------------------------------------ what is shown

    def freeze(self) -> Snapshot:
        """All values as they are now."""
        return Snapshot(
            MappingProxyType({name: MappingProxyType(dict(values)) for name, values in self._values.items()}),
            MappingProxyType(
                {name: MappingProxyType(dict(values)) for name, values in self._histograms.items()}
            ),
        )

    def _create(self, metric: Metric, labels: Labels) -> None:
        if metric.type is Type.HISTOGRAM:
            self._histograms[metric.name].setdefault(labels, _empty(metric))
        elif metric.start is not None:
            child = self._within_budget(metric, labels)
            self._values[metric.name].setdefault(child, metric.start)

    def _within_budget(self, metric: Metric, labels: Labels) -> Labels:
        """The labels, with the topic replaced when the pipeline has used up its budget.

        A topic once admitted stays so, hence a counter never moves to another series. Logical and physical
        topics have a budget each.
        """
        if "topic" not in metric.labels:
            return labels
        index = metric.labels.index("topic")
        admitted = self._topics.setdefault((labels[0], "cluster" in metric.labels), set())
        if labels[index] not in admitted:
            if len(admitted) >= self.topic_budget:
                return (*labels[:index], OVERFLOW, *labels[index + 1 :])
            admitted.add(labels[index])
        return labels


def _metric(name: str, labels: Labels, expected: Type) -> Metric:
    metric = BY_NAME.get(name)
    if metric is None or metric.type is not expected:
        raise ValueError(f"{name!r} is no {expected} of the catalogue")
    if len(labels) != len(metric.labels):
        raise ValueError(f"{name}: labels are {metric.labels}, not {labels}")
    return metric


def _empty(metric: Metric) -> Histogram:
    return Histogram((0,) * (len(metric.buckets) + 1))
