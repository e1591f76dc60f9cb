from __future__ import annotations

from dupscope.model.finding import finding_id
from dupscope.model.position import Position

WHERE = Position("cluster", "id-1", "payments", 3, 42)


class TestFindingId:
    def test_the_same_duplicate_has_the_same_id_in_every_run(self):
        assert finding_id("pay", "to-dr", WHERE) == finding_id("pay", "to-dr", WHERE)
        assert finding_id("pay", "to-dr", WHERE) == "c658533478957e0aa6e3"

    def test_every_part_of_it_counts(self):
        ids = {
            finding_id("pay", "to-dr", WHERE),
            finding_id("other", "to-dr", WHERE),
            finding_id("pay", "source", WHERE),
            finding_id("pay", "to-dr", Position("cluster", "id-2", "payments", 3, 42)),
            finding_id("pay", "to-dr", Position("cluster", "id-1", "payments", 4, 2)),
            finding_id("pay", "to-dr", WHERE, 2),
            finding_id("pay", "to-dr", WHERE, 3),
            finding_id("pay", "to-dr", None),
        }
        assert len(ids) == 8

    def test_the_topics_name_does_not(self):
        """The topic's id tells; its name is for people."""
        renamed = Position("cluster", "id-1", "renamed", 3, 42)
        assert finding_id("pay", "to-dr", renamed) == finding_id("pay", "to-dr", WHERE)
