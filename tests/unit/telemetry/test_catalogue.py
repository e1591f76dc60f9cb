from __future__ import annotations

import re

import pytest

from dupscope.telemetry.catalogue import BY_NAME, CATALOGUE, LABELS, Metric, Type

RESERVED = {"le", "quantile", "job", "instance", "exported_job", "exported_instance"}


def ids(metric: Metric) -> str:
    return metric.name


class TestCatalogue:
    """Names, labels and buckets follow Prometheus' rules."""

    def test_names_are_unique(self):
        """No two entries have one name."""
        assert len(BY_NAME) == len(CATALOGUE)

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_name_is_well_formed(self, metric):
        """A name is lower case words, whose last part is a base unit, never milliseconds or percent."""
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name)
        assert not re.search(
            r"_(ms|millis|milliseconds|minutes|percent|count|sum|bucket|created)$", metric.name
        )

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_total_marks_counters_and_only_them(self, metric):
        """A name ends in _total exactly if the metric is a counter."""
        assert (metric.type is Type.COUNTER) == metric.name.endswith("_total")

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_seconds_are_named(self, metric):
        """A metric in seconds says so in its name; an instant is a timestamp, not an age."""
        assert (metric.unit == "seconds") == metric.name.endswith("_seconds")
        if metric.type is Type.GAUGE and metric.unit == "seconds":
            assert metric.name.endswith("_timestamp_seconds")

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_info_is_always_one(self, metric):
        """An _info metric is a gauge without a unit that starts at 1, and nothing else does."""
        info = metric.name.endswith("_info")
        assert info == (metric.start == 1)
        if info:
            assert (metric.type, metric.unit) == (Type.GAUGE, "")

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_labels_are_free_of_reserved_names(self, metric):
        """Labels are unique and not those that Prometheus or an exposition sets."""
        assert len(set(metric.labels)) == len(metric.labels)
        assert not RESERVED & set(metric.labels)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in metric.labels)

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_pipeline_comes_first(self, metric):
        """Whatever belongs to a pipeline says so in its first label."""
        process_wide = ("store_", "restored_", "commit_", "build_")
        assert metric.name.startswith(process_wide) or metric.labels[0] == "pipeline"

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_help_is_a_sentence(self, metric):
        """Help is prose on one line and ends with a full stop."""
        assert metric.help.endswith(".")
        assert "\n" not in metric.help

    @pytest.mark.parametrize("metric", CATALOGUE, ids=ids)
    def test_buckets_rise_and_belong_to_histograms(self, metric):
        """A histogram has rising, finite, positive edges; nothing else has any."""
        assert (metric.type is Type.HISTOGRAM) == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert all(0 < edge < float("inf") for edge in metric.buckets)

    def test_only_a_gauge_can_be_absent(self):
        """Counters and histograms exist from the start: one born at 5 is invisible to increase()."""
        assert [m.name for m in CATALOGUE if m.start is None] == ["coverage_start_timestamp_seconds"]
        assert BY_NAME["coverage_start_timestamp_seconds"].type is Type.GAUGE

    def test_labels_are_explained(self):
        """Every label in use is explained, and nothing else is."""
        assert {label for metric in CATALOGUE for label in metric.labels} == set(LABELS)
