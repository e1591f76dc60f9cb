from __future__ import annotations

import pytest

from dupscope.ledger.lineage import trace
from dupscope.ledger.windows import cut
from dupscope.model.finding import Origin
from unit.ledger.cases import Desk
from unit.ledger.world import ACTIVE, CHAIN, FAN_IN, MARGIN, NOW, TIMELESS, WINDOW, Story


def lineages(desk: Desk):
    """Maker and copies of each lineage."""
    made, _ = trace(cut(desk.case, desk.view).windows[0], desk.view)
    return [(x.maker, [desk.name(copy) for copy in x.copies.values()]) for x in made]


class TestTrace:
    def test_the_first_source_copy_is_the_original_and_further_ones_are_produced(self):
        desk = Desk().source(at=2).source(at=1)
        assert lineages(desk) == [(None, ["source[0]@1"]), (Origin.PRODUCE, ["source[0]@0"])]

    def test_equal_times_are_ordered_by_partition_and_offset(self):
        desk = Desk().source(partition=1).source(partition=0)
        assert lineages(desk)[0] == (None, ["source[0]@0"])

    def test_a_faithful_copy_belongs_to_its_upstream_copys_lineage(self):
        desk = Desk().source().mirror().mirror()
        assert lineages(desk) == [(None, ["source[0]@0", "dr[0]@0"]), (Origin.MIRROR, ["dr[0]@1"])]

    def test_a_chain_carries_an_extra_copy_on(self):
        desk = Desk(CHAIN).source().mirror().mirror().record(2).record(2)
        assert lineages(desk) == [
            (None, ["source[0]@0", "dr[0]@0", "far[0]@0"]),
            (Origin.MIRROR, ["dr[0]@1", "far[0]@1"]),
        ]


class TestChains:
    def test_a_faithful_copy_of_an_extra_copy_is_no_duplicate_of_the_second_mirror(self):
        story = Story(CHAIN)
        original = story.source()
        for copy in (story.copied(original), story.copied(original)):
            story.effect(story.copied(copy))
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.extra_effects == {"charger mirror": 1}
        assert story.balanced

    def test_an_extra_copy_of_the_second_mirror_is_its_own(self):
        story = Story(CHAIN)
        copy = story.copied(story.source())
        story.copied(copy)
        story.copied(copy)
        story.settle()
        assert story.found == ["far[0]@1 identical"]

    def test_a_copy_below_one_that_is_not_in_source_is_not_judged_either(self):
        story = Story(CHAIN)
        story.copied(story.mirror())
        story.settle()
        assert story.found == []
        assert story.unverified["dr not_in_source"] == 1


class TestCoverage:
    @pytest.mark.parametrize(
        ("at", "found", "unverified"),
        [
            (MARGIN, ["dr[0]@1 identical"], {}),
            (MARGIN - 1, [], {"dr before_coverage": 1}),
        ],
    )
    def test_an_excess_needs_the_coverage_of_the_source_plus_a_margin(self, at, found, unverified):
        story = Story()
        story.covered_since[0] = NOW
        original = story.source(at=at)
        story.copied(original)
        story.copied(original)
        story.settle()
        assert (story.found, story.unverified) == (found, unverified)

    def test_a_source_copy_read_too_late_to_be_seen_makes_no_duplicate(self):
        """Trap 5: reading starts at the end, while the mirror lags."""
        story = Story()
        story.covered_since[0] = NOW
        story.mirror(at=1)
        story.copied(story.source(at=2))
        story.settle()
        assert story.found == []
        assert story.unverified == {"dr before_coverage": 1}

    def test_each_copy_of_the_case_must_be_covered(self):
        story = Story()
        story.covered_since[0] = NOW
        story.copied(story.source(at=MARGIN - 1))
        twice = story.source(at=MARGIN + 5)
        story.copied(twice)
        story.copied(twice)
        story.settle()
        assert story.found == ["source[0]@1 identical"]
        assert story.unverified == {"dr before_coverage": 1}

    @pytest.mark.parametrize(("at", "count"), [(MARGIN + WINDOW, 1), (MARGIN + WINDOW - 1, 0)])
    def test_matched_by_count_needs_a_whole_window_more(self, at, count):
        story = Story()
        story.covered_since[0] = NOW
        story.source(at=at)
        story.mirror(at=at, value="rewritten")
        story.mirror(at=at, value="rewritten again")
        story.settle()
        assert len(story.found) == count

    @pytest.mark.parametrize(("at", "count"), [(MARGIN + WINDOW, 1), (MARGIN + WINDOW - 1, 0)])
    def test_so_do_tags_without_time(self, at, count):
        story = Story(TIMELESS)
        story.covered_since[0] = NOW
        story.source(at=at)
        story.mirror(at=at)
        story.mirror(at=at + 1)
        story.settle()
        assert len(story.found) == count

    def test_a_chain_needs_the_latest_start_of_all_logs_above(self):
        story = Story(CHAIN)
        story.covered_since[0] = NOW
        copy = story.copied(story.source(at=MARGIN - 1))
        story.copied(copy)
        story.copied(copy)
        story.settle()
        assert (story.found, story.unverified) == ([], {"far before_coverage": 1})

    def test_a_source_read_from_its_beginning_needs_no_margin(self):
        story = Story()
        original = story.source(at=-5)
        story.copied(original)
        story.copied(original)
        story.settle()
        assert story.found == ["dr[0]@1 identical"]


class TestSeveralSources:
    """Both clusters are written to, and each is mirrored to the other."""

    A, B, TO_B, TO_A = 0, 1, 2, 3

    def test_a_record_of_one_source_and_its_mirrored_copy_are_one_lineage(self):
        story = Story(ACTIVE)
        original = story.record(self.A, "p")
        copy = story.copied(original, log=self.TO_B)
        story.effect(original, sink=0)
        story.effect(copy, sink=1)
        story.settle()
        assert (story.found, story.unverified, story.missing) == ([], {}, {})

    def test_the_same_key_in_both_sources_is_a_produce_duplicate(self):
        story = Story(ACTIVE)
        first, again = story.record(self.A, "p"), story.record(self.B, "p", at=5)
        story.copied(first, log=self.TO_B)
        story.copied(again, log=self.TO_A)
        story.settle()
        assert [f.position.cluster_id for f in story.findings] == ["b"]
        assert (story.found, story.unverified) == (["source[0]@0 identical"], {})

    def test_it_is_one_also_where_no_mirror_has_it_yet(self):
        story = Story(ACTIVE)
        story.record(self.A, "p")
        story.record(self.B, "p", at=5)
        story.settle()
        assert story.found == ["source[0]@0 identical"]

    def test_a_mirror_is_explained_by_its_own_source_only(self):
        story = Story(ACTIVE)
        original = story.record(self.A, "p")
        story.copied(original, log=self.TO_A)
        story.settle()
        assert story.found == []
        assert story.unverified == {"to-a not_in_source": 1}

    def test_a_second_copy_in_a_mirror_is_the_mirrors(self):
        story = Story(ACTIVE)
        original = story.record(self.B, "p")
        for _ in range(2):
            story.effect(story.copied(original, log=self.TO_A), sink=0)
        story.settle()
        assert story.found == ["to-a[0]@1 identical"]
        assert story.extra_effects == {"at-a mirror": 1}
        assert story.balanced

    def test_what_only_the_other_cluster_has_is_not_missing_here(self):
        story = Story(ACTIVE)
        for number in range(5):
            story.copied(story.record(self.A, f"p{number}"), log=self.TO_B)
            story.copied(story.record(self.B, f"q{number}"), log=self.TO_A)
        story.settle()
        assert (story.found, story.missing) == ([], {})

    def test_a_loss_in_one_direction_is_that_mirrors(self):
        story = Story(ACTIVE)
        story.record(self.B, "lost")
        story.copied(story.record(self.B, "later"), log=self.TO_A)
        story.settle()
        assert story.missing == {"to-a": 1}

    def test_a_sink_of_the_other_cluster_acts_on_both_ways_of_one_fact(self):
        story = Story(ACTIVE)
        first, again = story.record(self.A, "p"), story.record(self.B, "p", at=5)
        story.effect(first, sink=0)
        story.effect(story.copied(again, log=self.TO_A), sink=0)
        story.settle()
        assert story.extra_effects == {"at-a produce": 1}
        assert story.balanced


class TestOneMirrorOfSeveralSources:
    def test_it_copies_each_of_them_once(self):
        story = Story(FAN_IN)
        story.copied(story.record(0, "p"), log=2)
        story.copied(story.record(1, "q"), log=2)
        story.settle()
        assert (story.found, story.unverified) == ([], {})

    def test_the_same_fact_from_both_is_made_by_the_producer(self):
        story = Story(FAN_IN)
        first, again = story.record(0, "p"), story.record(1, "p")
        story.effect(story.copied(first, log=2))
        story.effect(story.copied(again, log=2))
        story.settle()
        assert story.found == ["source[0]@0 identical"]
        assert story.extra_effects == {"charger produce": 1}
        assert story.balanced

    def test_a_third_copy_is_the_mirrors(self):
        story = Story(FAN_IN)
        first, again = story.record(0, "p"), story.record(1, "p")
        for place in (first, again, again):
            story.copied(place, log=2)
        story.settle()
        assert story.found == ["all[0]@2 identical", "source[0]@0 identical"]
