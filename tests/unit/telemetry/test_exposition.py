from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from dupscope.telemetry.catalogue import CATALOGUE, Type
from dupscope.telemetry.metrics import Metrics

GOLDEN = Path(__file__).parents[2] / "golden" / "exposition.txt"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
TEXT = "text/plain; version=0.0.4; charset=utf-8"
SUFFIXES = {Type.COUNTER: {"_total"}, Type.GAUGE: {""}, Type.HISTOGRAM: {"_bucket", "_sum", "_count"}}


def text_of(metrics, accept=""):
    return metrics.render(accept)[0].decode()


class TestGolden:
    """The whole exposition of a scripted run is as agreed."""

    def test_exposition(self, scripted):
        """Set UPDATE_GOLDEN=1 to accept a change, and review its diff."""
        text = text_of(scripted).replace(f'"{platform.python_version()}"', '"PYTHON"')
        if os.environ.get("UPDATE_GOLDEN") == "1":
            GOLDEN.write_text(text)
        assert GOLDEN.read_text() == text


class TestCatalogueAndExposition:
    """The catalogue and what a run emits are equal, both ways."""

    def test_same_names_types_and_help(self, scripted):
        """Every family is in the catalogue as it is, and every metric of the catalogue is emitted."""
        emitted = {
            (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation)
            for family in text_string_to_metric_families(text_of(scripted))
        }
        assert {(m.full_name, str(m.type), m.help) for m in CATALOGUE} == emitted

    def test_same_labels(self, scripted):
        """Every sample has exactly the labels of the catalogue; every metric has samples."""
        labels: dict[str, set[frozenset[str]]] = {}
        for family in text_string_to_metric_families(text_of(scripted)):
            for sample in family.samples:
                labels.setdefault(sample.name, set()).add(frozenset(sample.labels))
        expected = {
            metric.full_name.removesuffix("_total") + suffix: {
                frozenset(metric.labels) | ({"le"} if suffix == "_bucket" else set())
            }
            for metric in CATALOGUE
            for suffix in SUFFIXES[metric.type]
        }
        assert expected == labels

    def test_every_series_exists_before_anything_is_fed(self, scripted, shape):
        """A fresh process shows every series that the run shows, except the unknown coverage."""
        fresh = Metrics([shape], version="1.2.3")

        def series(metrics):
            return {line.rpartition(" ")[0] for line in text_of(metrics).splitlines() if line[0] != "#"}

        later = series(scripted) - series(fresh)
        assert {"dupscope_coverage_start_timestamp_seconds"} == {line.partition("{")[0] for line in later}

    def test_no_created_series(self, scripted):
        """Nothing doubles the counters."""
        assert "_created" not in text_of(scripted)

    def test_openmetrics_is_valid(self, scripted):
        """A strict parser reads the OpenMetrics form."""
        text = text_of(scripted, "application/openmetrics-text; version=1.0.0")
        assert len(CATALOGUE) == len(list(openmetrics.text_string_to_metric_families(text)))

    def test_histograms_are_cumulative(self, scripted):
        """Bucket counts never fall, and the last one is the count."""
        lines = text_of(scripted).splitlines()
        gaps = [line for line in lines if "duplicate_gap_seconds" in line and 'stage="to-dr"' in line]
        buckets = [float(line.split()[-1]) for line in gaps if "_bucket" in line]
        assert sorted(buckets) == buckets
        assert (buckets[0], buckets[-1]) == (1, 3)


class TestNegotiation:
    """The format follows the Accept header."""

    @pytest.mark.parametrize(
        "accept", ["", "*/*", "text/plain", "text/html", "application/openmetrics-text;version=0.0.1"]
    )
    def test_text_by_default(self, scripted, accept):
        """Whoever does not ask for OpenMetrics 1.0 gets the text format."""
        assert scripted.render(accept)[1] == TEXT

    @pytest.mark.parametrize("accept", ["application/openmetrics-text; version=1.0.0", PROMETHEUS])
    def test_openmetrics_when_asked(self, scripted, accept):
        """Prometheus' own header gets OpenMetrics, which alone carries exemplars."""
        body, content_type = scripted.render(accept)
        assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert body.endswith(b"# EOF\n")

    @pytest.mark.parametrize(
        "accept", ["application/openmetrics-text; version=abc", "text/plain;version=x", ",;,="]
    )
    def test_nonsense_gets_text(self, scripted, accept):
        """A header that makes no sense is no reason to fail a scrape."""
        assert scripted.render(accept)[1] == TEXT
