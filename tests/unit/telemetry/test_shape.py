from __future__ import annotations

from dupscope.telemetry.catalogue import BY_NAME, CATALOGUE
from dupscope.telemetry.shape import series


def of(name, shape):
    return list(series(BY_NAME[name], shape))


class TestSeries:
    """The series of a pipeline follow from its stages, topics and closed sets of reasons."""

    def test_duplicates_by_layer_stage_topic_and_kind(self, shape):
        """A repeated side effect has no payload of its own, so it cannot conflict."""
        assert of("duplicates_total", shape) == [
            ("payments", "produce", "source", "payments", "identical"),
            ("payments", "produce", "source", "payments", "conflicting"),
            ("payments", "mirror", "to-dr", "payments", "identical"),
            ("payments", "mirror", "to-dr", "payments", "conflicting"),
            ("payments", "consume", "charger", "payments", "identical"),
        ]

    def test_only_stages_of_the_metrics_layers(self, shape):
        """Records are read from logs, lines from audit logs; only downstream stages have suspects."""
        assert [labels[1] for labels in of("records_total", shape)] == ["source", "to-dr"]
        assert [labels[1] for labels in of("audit_lines_total", shape)] == ["charger"]
        assert [labels[2] for labels in of("suspects", shape)] == ["to-dr", "charger"]

    def test_tails_are_physical(self, shape):
        """A tail's series carry the cluster and the topic as they are there."""
        assert of("tail_up", shape) == [
            ("payments", "source", "primary", "payments"),
            ("payments", "to-dr", "dr", "primary.payments"),
        ]
        assert of("tail_errors_total", shape) == [
            ("payments", "source", "primary", "transport"),
            ("payments", "to-dr", "dr", "transport"),
        ]

    def test_info(self, shape):
        """Info metrics carry what joins need."""
        assert of("pipeline_info", shape) == [("payments", "0", "1", "checkout")]
        assert of("stage_info", shape)[2] == ("payments", "charger", "consume", "to-dr")

    def test_one_value_per_label(self, shape):
        """Every metric of a pipeline has series, each with a value for every label."""
        for metric in CATALOGUE:
            found = list(series(metric, shape))
            assert bool(found) == ("pipeline" in metric.labels), metric.name
            assert all(len(labels) == len(metric.labels) for labels in found)
