from __future__ import annotations

from dupscope.ledger.pairing import pair
from unit.ledger.cases import Desk
from unit.ledger.world import Story


def pairs(desk: Desk) -> dict[str, str]:
    found = pair(desk.of(0), desk.of(1), 1, desk.view).faithful
    return {desk.name(down): desk.name(up) for down, up in found.items()}


def left_over(desk: Desk) -> tuple[list[str], list[str]]:
    """Names of excess and of deficit."""
    found = pair(desk.of(0), desk.of(1), 1, desk.view)
    return [desk.name(copy) for copy in found.excess], [desk.name(copy) for copy in found.deficit]


class TestOneTag:
    def test_copies_in_the_same_partition_number_pair_first(self):
        desk = Desk().source(partition=1).source(partition=2)
        desk.mirror(partition=2).mirror(partition=1)
        assert pairs(desk) == {"dr[2]@0": "source[2]@0", "dr[1]@0": "source[1]@0"}

    def test_within_a_partition_by_offset(self):
        desk = Desk().source().source().mirror().mirror().mirror()
        assert pairs(desk) == {"dr[0]@0": "source[0]@0", "dr[0]@1": "source[0]@1"}
        assert left_over(desk) == (["dr[0]@2"], [])

    def test_the_extra_one_is_the_one_in_the_foreign_partition(self):
        """In the order of positions alone, dr[0]@0 would be faithful and dr[1]@0 excess."""
        desk = Desk().source(partition=1).mirror(partition=0).mirror(partition=1)
        assert left_over(desk) == (["dr[0]@0"], [])

    def test_the_rest_pairs_by_partition_and_offset(self):
        desk = Desk().source(partition=0).mirror(partition=2).mirror(partition=1)
        assert pairs(desk) == {"dr[1]@0": "source[0]@0"}

    def test_two_legitimate_copies_explain_two_downstream(self):
        """Trap 4: a non-idempotent retry, s = 2 and d = 2."""
        desk = Desk().source().source().mirror().mirror()
        assert left_over(desk) == ([], [])


class TestUnknownTag:
    def test_it_goes_to_a_copy_in_deficit(self):
        desk = Desk().source(value="1").mirror(value="rewritten")
        found = pair(desk.of(0), desk.of(1), 1, desk.view)
        assert found.by_count == desk.of(1)
        assert (found.excess, found.deficit) == ([], [])

    def test_in_log_order(self):
        desk = Desk().source(at=5).source(at=3).mirror(at=20, value="x").mirror(at=10, value="y")
        assert pairs(desk) == {"dr[0]@1": "source[0]@1", "dr[0]@0": "source[0]@0"}

    def test_a_known_tag_goes_first(self):
        desk = Desk().source(at=3).mirror(at=1, value="x").mirror(at=3)
        assert left_over(desk) == (["dr[0]@0"], [])


class TestPairsThatStay:
    def test_a_pair_that_a_finding_rests_on_is_not_made_anew(self):
        desk = Desk().source().source().mirror().mirror()
        desk.of(1)[0].twin = desk.of(0)[1]
        assert pairs(desk) == {"dr[0]@0": "source[0]@1", "dr[0]@1": "source[0]@0"}


class TestStories:
    def test_the_copy_in_the_partition_of_its_source_is_the_faithful_one(self):
        story = Story()
        original = story.source(partition=1)
        story.copied(original, partition=0)
        story.copied(original)
        story.settle()
        assert story.found == ["dr[0]@0 identical"]

    def test_two_legitimate_copies_are_no_mirror_duplicate(self):
        """Trap 4."""
        story = Story()
        story.copied(story.source())
        story.copied(story.source())
        story.settle()
        assert story.found == ["source[0]@1 identical"]
        assert story.unverified == {}

    def test_totals_agree_while_a_tag_does_not(self):
        """One source copy is lost, the other arrives twice."""
        story = Story()
        story.source(value="1")
        twice = story.source(at=5, value="2")
        story.copied(twice)
        story.copied(twice)
        story.settle()
        assert story.found == ["dr[0]@1 identical", "source[0]@1 conflicting"]
        assert story.missing == {"dr": 1}
