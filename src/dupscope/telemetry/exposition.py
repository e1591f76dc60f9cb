"""Snapshots as Prometheus text: families from the catalogue, format by negotiation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from dupscope.telemetry.catalogue import CATALOGUE, Metric, Type
from dupscope.telemetry.shape import Labels
from dupscope.telemetry.totals import Histogram, Snapshot


class SnapshotCollector(Collector):
    """Shows one snapshot per scrape, whole. `current` may be called from any thread."""

    def __init__(self, current: Callable[[], Snapshot]) -> None:
        self._current = current

    def collect(self) -> Iterator[Family]:
        """One family per metric of the catalogue, in its order; series in the order of their labels."""
        snapshot = self._current()
        for metric in CATALOGUE:
            if metric.type is Type.HISTOGRAM:
                yield _histogram(metric, snapshot.histograms[metric.name])
            else:
                yield _plain(metric, snapshot.values[metric.name])


def expose(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The exposition in the format that `accept` asks for, and its content type.

    OpenMetrics where it is asked for from version 1.0 on, else text format 0.0.4, also for an Accept header
    that makes no sense.
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


def _plain(metric: Metric, values: Mapping[Labels, float]) -> Family:
    make = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
    family = make(metric.full_name, metric.help, labels=metric.labels, unit=_unit(metric))
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, values: Mapping[Labels, Histogram]) -> Family:
    family = HistogramMetricFamily(metric.full_name, metric.help, labels=metric.labels, unit=_unit(metric))
    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    for labels, histogram in sorted(values.items()):
        cumulative = zip(bounds, accumulate(histogram.counts), strict=True)
        family.add_metric(labels, list(cumulative), histogram.sum)
    return family


def _unit(metric: Metric) -> str:
    """The unit where the name ends in it; the format demands both or none. Plain counts have none."""
    return metric.unit if metric.full_name.endswith("_seconds") else ""
