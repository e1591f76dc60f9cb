from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.model.finding import Kind, Layer
from dupscope.model.topology import Sink
from unit.ledger.cases import Desk
from unit.ledger.world import CHAIN, MARGIN, PAIR, Story

ORDERED = replace(PAIR, sinks=(Sink("charger", (1,), ordered=True),))


class TestSticky:
    """A copy once judged excess stays so: an upstream copy appended later cannot explain it."""

    def test_a_later_source_copy_of_its_tag_takes_nothing_back(self):
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.settle()
        again = story.source()
        story.settle()
        assert story.found == ["dr[0]@1 identical", "source[0]@1 identical"]
        assert again.offset == 1

    def test_the_copy_of_that_later_one_is_no_duplicate(self):
        """Were the excess to pair with the second source copy, its real copy would be excess."""
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.settle()
        story.copied(story.source())
        story.settle()
        assert story.found == ["dr[0]@1 identical", "source[0]@1 identical"]
        assert story.missing == {}

    def test_a_copy_closed_without_verdict_is_explained_by_what_turns_up(self):
        """It is no finding, so nothing rests on it."""
        story = Story()
        story.mirror()
        story.settle()
        story.source()
        story.settle()
        assert story.unverified == {"dr not_in_source": 1}
        assert story.found == []


class TestKind:
    def test_a_source_copy_that_contradicts_the_original_is_conflicting(self):
        story = Story()
        story.source(value="10 EUR")
        story.source(value="11 EUR")
        story.source(value="10 EUR")
        story.settle()
        assert story.found == ["source[0]@1 conflicting", "source[0]@2 identical"]

    @pytest.mark.parametrize(("value", "kind"), [("10 EUR", "identical"), ("rewritten", "conflicting")])
    def test_a_mirrors_copy_is_compared_with_every_upstream_copy(self, value, kind):
        story = Story()
        story.copied(story.source(value="9 EUR"))
        story.copied(story.source(value="10 EUR", at=1))
        story.mirror(value=value, at=7)
        story.settle()
        assert f"dr[0]@2 {kind}" in story.found

    def test_it_is_set_once(self):
        story = Story()
        story.source(value="10 EUR", at=5)
        story.source(value="11 EUR", at=6)
        story.settle()
        story.source(value="11 EUR", at=0, partition=1)
        story.settle()
        assert "source[0]@1 conflicting" in story.found

    def test_a_repeated_effect_is_identical(self):
        story = Story()
        copy = story.copied(story.source())
        story.effect(copy)
        story.effect(copy)
        story.settle()
        assert [(f.layer, f.kind) for f in story.findings] == [(Layer.CONSUME, Kind.IDENTICAL)]


class TestFindings:
    def test_they_name_what_they_repeat(self):
        story = Story()
        original = story.source()
        story.source(at=1500)
        story.copied(original)
        story.copied(original)
        story.settle()
        names = {str(f.position): (str(f.first), f.gap_seconds) for f in story.findings}
        assert names == {"source[0]@1": ("source[0]@0", 1.5), "dr[0]@1": ("dr[0]@0", None)}

    def test_their_ids_do_not_depend_on_the_order_of_reading(self):
        ids = []
        for first in ("source", "dr"):
            story = Story()
            original = story.source()
            story.copied(original)
            story.copied(original)
            story.cycle(first)
            story.settle()
            ids.append({finding.id for finding in story.findings})
        assert ids[0] == ids[1]

    def test_the_delay_is_from_the_copy_to_the_verdict(self):
        desk = Desk().source(at=-2000).source(at=-500)
        assert desk.conclude().delays_seconds == [(Layer.PRODUCE, "source", 0.5)]

    def test_concluding_twice_adds_nothing(self):
        desk = Desk().source().source().mirror().mirror().mirror()
        desk.effect(desk.of(1)[0]).effect(desk.of(1)[0])
        assert len(desk.conclude().findings) == 3
        again = desk.conclude()
        assert (again.findings, again.extra_effects) == ([], {})


class TestOrigins:
    def test_they_only_grow(self):
        """The lowest lineage gets its effect late: what was called produce stays, the new one is extra."""
        story = Story()
        first, second = story.copied(story.source()), story.copied(story.source(at=1))
        third = story.copied(story.source(at=2))
        story.effect(second)
        story.effect(third)
        story.settle()
        assert story.extra_effects == {"charger produce": 1}
        story.effect(first)
        story.settle()
        assert story.extra_effects == {"charger produce": 2}

    def test_they_sum_to_effects_less_one(self):
        story = Story()
        original = story.source()
        one, two = story.copied(original), story.copied(original)
        again = story.copied(story.source(at=1))
        for copy in (one, two, again, again):
            story.effect(copy)
        story.settle()
        assert story.extra_effects == {"charger mirror": 1, "charger produce": 1, "charger consume": 1}
        assert story.balanced


class TestExtraCopies:
    def test_they_count_once_the_group_has_committed_past_them(self):
        story = Story()
        original = story.source()
        one, two = story.copied(original), story.copied(original)
        story.effect(one)
        story.commits(one)
        story.settle()
        assert story.extra_copies == {}
        story.commits(two)
        story.settle()
        assert story.extra_copies == {"charger": 1}
        story.settle()
        assert story.extra_copies == {"charger": 1}

    def test_a_later_effect_of_the_partition_tells_as_much_where_the_sink_keeps_the_order(self):
        story = Story(ORDERED)
        original = story.source()
        story.effect(story.copied(original))
        story.copied(original)
        story.settle()
        assert story.extra_copies == {}
        story.effect(story.copied(story.source("later")))
        story.settle()
        assert story.extra_copies == {"charger": 1}

    def test_without_that_order_it_tells_nothing(self):
        story = Story()
        original = story.source()
        story.effect(story.copied(original))
        story.copied(original)
        story.effect(story.copied(story.source("later")))
        story.settle()
        assert story.extra_copies == {}

    def test_what_the_sink_absorbed_is_extra_copies_less_extra_effects(self):
        story = Story()
        original = story.source()
        story.effect(story.copied(original))
        story.commits(story.copied(original))
        story.settle()
        assert (story.extra_copies, story.extra_effects) == ({"charger": 1}, {})
        assert story.lines[0]["sinks"]["charger"]["absorbed"] == 1
        assert story.balanced


class TestHotKey:
    def test_missing_copies_are_not_judged_either(self):
        desk = Desk().source().source(at=1).mirror()
        desk.case.hot = True
        desk.seen(frontier=tuple(column + 10 for column in desk.view.frontier))
        assert desk.conclude().missing == {}


class TestChainOfVerdicts:
    def test_a_late_copy_above_does_not_undo_a_finding_below(self):
        story = Story(CHAIN)
        copy = story.copied(story.source(at=MARGIN))
        story.copied(copy)
        story.copied(copy)
        story.settle()
        story.copied(story.source(at=MARGIN))
        story.settle()
        assert story.found == ["far[0]@1 identical", "source[0]@1 identical"]
