from __future__ import annotations

from dupscope.ledger.windows import cut
from unit.ledger.cases import Desk
from unit.ledger.world import MARGIN, TIMELESS, WINDOW, Story


def cut_into(desk: Desk) -> list[list[int]]:
    """Number of copies in each log, by window."""
    return [[len(copies) for copies in window.copies] for window in cut(desk.case, desk.view).windows]


class TestCut:
    def test_source_copies_up_to_a_window_apart_are_one_case(self):
        desk = Desk().source(at=0).source(at=WINDOW).source(at=2 * WINDOW)
        assert cut_into(desk) == [[3, 0]]

    def test_a_larger_gap_begins_another_case(self):
        assert cut_into(Desk().source(at=0).source(at=WINDOW + 1)) == [[1, 0], [1, 0]]

    def test_only_source_copies_make_windows(self):
        """A mirror's copy between two cases does not join them."""
        desk = Desk().source(at=0).source(at=2 * WINDOW)
        desk.mirror(at=WINDOW - 1, value="rewritten")
        assert cut_into(desk) == [[1, 1], [1, 0]]

    def test_a_mirrored_copy_goes_with_the_source_copy_of_its_tag(self):
        desk = Desk().source(at=0).source(at=WINDOW + 1)
        desk.mirror(at=WINDOW + 1).mirror(at=0)
        assert cut_into(desk) == [[1, 1], [1, 1]]

    def test_a_copy_of_unknown_tag_joins_the_nearest_source_copy(self):
        desk = Desk().source(at=0).source(at=WINDOW + 1)
        desk.mirror(at=WINDOW, value="rewritten")
        assert cut_into(desk) == [[1, 0], [1, 1]]

    def test_a_copy_of_unknown_tag_more_than_a_window_away_is_homeless(self):
        desk = Desk().source(at=0).mirror(at=WINDOW + 1, value="rewritten")
        assert cut(desk.case, desk.view).homeless == [desk.copies[-1]]

    def test_where_tags_have_no_time_the_pair_decides(self):
        desk = Desk(TIMELESS).source(at=0).source(at=3 * WINDOW)
        desk.mirror(at=3 * WINDOW).mirror(at=3 * WINDOW + 5)
        assert cut_into(desk) == [[1, 1], [1, 1]]

    def test_an_effect_without_position_joins_the_last_case_begun_by_then(self):
        desk = Desk().source(at=0).source(at=3 * WINDOW)
        desk.effect(None, at=3 * WINDOW - 1).effect(None, at=3 * WINDOW)
        assert [len(window.floating) for window in cut(desk.case, desk.view).windows] == [1, 1]

    def test_an_effect_stamped_a_little_early_still_has_a_case(self):
        desk = Desk().source(at=0).effect(None, at=-MARGIN).effect(None, at=-MARGIN - 1)
        result = cut(desk.case, desk.view)
        assert (len(result.windows[0].floating), len(result.homeless_effects)) == (1, 1)


class TestStories:
    def test_a_repeat_more_than_a_window_later_is_another_fact(self):
        story = Story()
        story.copied(story.source(at=0))
        story.copied(story.source(at=WINDOW + 1))
        story.settle()
        assert story.found == []

    def test_a_late_source_copy_merges_two_cases_and_only_adds_duplicates(self):
        story = Story()
        story.source(at=0)
        story.source(at=WINDOW + 500, partition=1)
        story.settle()
        assert story.found == []
        story.source(at=WINDOW // 2, partition=2)
        story.settle()
        assert story.found == ["source[1]@0 identical", "source[2]@0 identical"]

    def test_an_earlier_original_that_turns_up_takes_no_finding_back(self):
        story = Story()
        story.source(at=100)
        story.source(at=200)
        story.settle()
        story.source(at=0, partition=1)
        story.settle()
        assert story.found == ["source[0]@0 identical", "source[0]@1 identical"]

    def test_a_mirrors_extra_copy_does_not_reach_over_to_the_next_case(self):
        """Were mirrors to make windows, the second source copy would be a produce duplicate."""
        story = Story()
        story.copied(story.source(at=0))
        story.mirror(at=WINDOW // 2 + 300, value="rewritten")
        story.copied(story.source(at=WINDOW + 600))
        story.settle()
        assert story.found == ["dr[0]@1 conflicting"]

    def test_a_copy_of_unknown_tag_far_from_every_source_copy_is_not_in_source(self):
        story = Story()
        story.copied(story.source(at=0))
        story.mirror(at=WINDOW + 1, value="rewritten")
        story.settle()
        assert (story.found, story.unverified) == ([], {"dr not_in_source": 1})
