from __future__ import annotations

from dupscope.app.shapes import layer_of, shape_of
from dupscope.audit.reasons import InvalidReason
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.model.finding import Layer, Reason
from dupscope.telemetry.shape import StageShape, TailShape


class TestLayerOf:
    def test_source_and_mirrors(self):
        """The source's log is of the produce layer, every other log of the mirror layer."""
        assert [layer_of(log) for log in range(3)] == [Layer.PRODUCE, Layer.MIRROR, Layer.MIRROR]


class TestShapeOf:
    def test_stages(self, offline):
        """Each stage has its name, its layer and what it reads; the source reads nothing."""
        shape = shape_of(offline.config().pipelines["payments"])
        assert (shape.name, shape.team) == ("payments", "checkout")
        assert shape.stages == (
            StageShape("source", Layer.PRODUCE),
            StageShape("to-dr", Layer.MIRROR, ("source",)),
            StageShape("charger", Layer.CONSUME, ("to-dr",)),
        )

    def test_topics(self, offline):
        """Topics are logical ones; tails have the physical ones, each with its cluster."""
        shape = shape_of(offline.config().pipelines["payments"])
        assert shape.topics == ("payments",)
        assert shape.tails == (
            TailShape("source", "primary", "payments"),
            TailShape("to-dr", "dr", "primary.payments"),
        )

    def test_reasons(self, offline):
        """Every reason that a room can give has its series from the start."""
        reasons = shape_of(offline.config().pipelines["payments"]).reasons
        assert set(reasons["unkeyed_records_total"]) == set(Unkeyed)
        assert set(reasons["unverified_total"]) == set(Reason)
        assert set(reasons["audit_invalid_lines_total"]) == set(InvalidReason)
        assert "offset_out_of_range" in reasons["coverage_holes_total"]

    def test_no_team(self, offline):
        """A pipeline without a team has an empty one."""
        assert shape_of(offline.config(team=None).pipelines["payments"]).team == ""
