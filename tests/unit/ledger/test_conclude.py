from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.model.finding import Kind
from dupscope.model.layer import Layer
from dupscope.model.replay import Replay
from dupscope.model.topology import Sink
from unit.ledger.cases import Desk
from unit.ledger.world import CHAIN, MARGIN, NOW, PAIR, Story

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


class TestIntendedReplays:
    """Never among the duplicates; counted apart, with the reason."""

    def test_a_record_that_says_so_is_no_duplicate(self):
        story = Story()
        story.source()
        story.redriven.add(story.source(at=5))
        story.settle()
        assert story.found == []
        assert story.intended == {"produce source redrive": 1}

    def test_the_mark_is_kept_while_the_key_is_in_the_norm(self):
        """The marked copy is read first, the one before it later."""
        story = Story()
        early, late = story.source(partition=0), story.source(at=5, partition=1)
        story.redriven.add(late)
        story.cycle(between=early)
        story.settle()
        assert story.found == []
        assert story.intended == {"produce source redrive": 1}

    def test_the_mark_survives_a_visit_to_the_case(self):
        story = Story()
        marked = story.source(at=5)
        story.redriven.add(marked)
        story.mirror(at=7)
        story.settle()
        story.source(partition=1)
        story.settle()
        assert story.intended == {"produce source redrive": 1}

    def test_a_mirrors_extra_copy_of_a_marked_record_is_the_mirrors_fault(self):
        story = Story()
        marked = story.source()
        extra = [story.copied(marked), story.copied(marked)]
        story.redriven.update([marked, *extra])
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.intended == {}

    @pytest.mark.parametrize(("at", "found"), [(4, 1), (5, 0), (9, 0), (10, 1)])
    def test_a_declared_window_covers_duplicates_by_their_own_timestamp(self, at, found):
        story = Story()
        story.replays = (Replay("source", NOW + 5, NOW + 10, "dr-drill"),)
        story.source()
        story.source(at=at)
        story.settle()
        assert len(story.found) == found
        assert story.intended == ({} if found else {"produce source dr-drill": 1})

    def test_it_covers_its_own_stage_only(self):
        story = Story()
        story.replays = (Replay("dr", NOW, NOW + 10),)
        for place in (story.source(), story.source(at=5)):
            story.copied(place)
        story.copied(place)
        story.settle()
        assert story.found == ["source[0]@1 identical"]
        assert story.intended == {"mirror dr declared": 1}

    def test_a_repeated_effect_is_covered_by_its_own_time_and_still_counts_as_an_effect(self):
        story = Story()
        story.replays = (Replay("charger", NOW + 60, NOW + 70),)
        copy = story.copied(story.source())
        for at in (50, 65, 80):
            story.effect(copy, at=at)
        story.settle()
        assert story.found == ["charger dr[0]@0 #3"]
        assert story.intended == {"consume charger declared": 1}
        assert story.extra_effects == {"charger consume": 2}
        assert story.balanced

    def test_what_was_reported_is_not_taken_back_by_a_later_declaration(self):
        story = Story()
        story.source()
        story.source(at=5)
        story.settle()
        story.replays = (Replay("source", NOW, NOW + 10),)
        story.copied(story.source(at=7))
        story.settle()
        assert story.found == ["source[0]@1 identical"]
        assert story.intended == {"produce source declared": 1}

    def test_the_ledger_file_tells_the_two_apart(self):
        story = Story()
        story.source()
        story.redriven.add(story.source(at=5))
        story.settle()
        (line,) = story.lines
        marks = [(copy["duplicate"], copy["intended"]) for copy in line["source"]]
        assert marks == [(False, None), (False, "redrive")]
