from __future__ import annotations

from dupscope.app.shapes import shape_of
from dupscope.audit.reasons import InvalidReason
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from dupscope.model.replay import Replay
from dupscope.telemetry.shape import StageShape, TailShape

ACTIVE = {
    "source": [
        {"cluster": "primary", "topics": ["payments"]},
        {"cluster": "dr", "topics": ["payments"]},
    ],
    "mirrors": {"to-dr": {"cluster": "dr", "topics": ["primary.payments"], "from": "source@primary"}},
    "sinks": {},
}


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

    def test_several_sources(self, offline):
        """They are one stage; their tails tell them apart by the cluster."""
        shape = shape_of(offline.config(**ACTIVE).pipelines["payments"])
        assert [stage.name for stage in shape.stages] == ["source", "to-dr"]
        assert shape.topics == ("payments",)
        assert shape.tails[:2] == (
            TailShape("source", "primary", "payments"),
            TailShape("source", "dr", "payments"),
        )

    def test_topics_found(self, offline):
        """What a pattern has found by now is there beside what was named."""
        settings = offline.config(source={"cluster": "primary", "topics": ["payments", "^re.*"]})
        found = [{"payments": "payments", "refunds": "refunds"}, {"primary.payments": "payments"}]
        shape = shape_of(settings.pipelines["payments"], found)
        assert shape.topics == ("payments", "refunds")
        assert TailShape("source", "primary", "refunds") in shape.tails

    def test_replays(self, offline):
        """Declared replays and redrives have their series before the first duplicate."""
        settings = offline.config(redrive={"headers": ["x-redrive"]}).pipelines["payments"]
        shape = shape_of(settings, replays=[Replay("source", 0, 1, "drill"), Replay("to-dr", 0, 1, "drill")])
        assert shape.reasons["intended_duplicates_total"] == ("redrive", "drill")
        assert shape_of(offline.config().pipelines["payments"]).reasons["intended_duplicates_total"] == ()
