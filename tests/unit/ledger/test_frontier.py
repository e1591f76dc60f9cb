from __future__ import annotations

import pytest

from unit.ledger.world import CHAIN, MARGIN, NOW, TIMELESS, WINDOW, Story


def lost_and_overtaken(story: Story):
    """A source copy that was never mirrored, and a later one of its partition that was."""
    lost = story.source("lost", at=MARGIN + 1)
    later = story.source("later", at=MARGIN + 2)
    return lost, later


class TestMissing:
    def test_a_copy_that_was_overtaken_is_missing(self):
        story = Story()
        _, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        assert story.missing == {"dr": 1}
        assert (story.found, story.recovered) == ([], {})

    def test_it_is_counted_once(self):
        story = Story()
        _, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        story.copied(story.source("even later", at=MARGIN + 3))
        story.settle()
        assert story.missing == {"dr": 1}

    def test_condition_a_nothing_later_arrived(self):
        story = Story()
        earlier = story.source("earlier")
        story.source("lag")
        story.copied(earlier)
        story.settle()
        assert story.missing == {}

    def test_condition_a_a_later_copy_of_another_partition_is_no_witness(self):
        story = Story()
        story.source("lag")
        story.copied(story.source("later", partition=1))
        story.settle()
        assert story.missing == {}

    def test_condition_a_a_copy_of_another_tag_is_no_witness(self):
        story = Story()
        story.source("lag")
        story.source("later", value="1")
        story.mirror("later", value="2")
        story.settle()
        assert story.missing == {}

    def test_condition_b_the_destination_must_have_been_read_to_its_end(self):
        """The lost copy's own copy lies in another partition of the destination, not read yet."""
        story = Story()
        lost, later = lost_and_overtaken(story)
        story.copied(later)
        unread = story.copied(lost, partition=1)
        story.cycle(between=unread)
        story.cycle(between=unread)
        assert story.missing == {}
        story.settle()
        assert (story.missing, story.recovered) == ({}, {})

    @pytest.mark.parametrize(("since", "missing"), [(NOW, {"dr": 1}), (NOW + 2, {})])
    def test_condition_c_both_lie_in_the_coverage_of_the_destination(self, since, missing):
        story = Story()
        story.covered_since[1] = since
        _, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        assert story.missing == missing

    def test_condition_c_the_witness_must_be_covered_too(self):
        story = Story()
        story.covered_since[1] = NOW
        story.source("lost", at=MARGIN + 1)
        story.copied(story.source("later", at=MARGIN - 1))
        story.settle()
        assert story.missing == {}

    def test_condition_c_a_case_matched_by_count_is_covered_as_a_whole(self):
        story = Story()
        story.covered_since[1] = NOW
        story.source("p", at=MARGIN - 1, value="1")
        story.source("p", at=MARGIN + 1, value="2")
        story.mirror("p", at=MARGIN - 1, value="rewritten")
        story.copied(story.source("later", at=MARGIN + 2))
        story.settle()
        assert story.missing == {}

    def test_condition_d_nothing_is_missing_from_a_log_that_loses_records_itself(self):
        story = Story()
        story.truncated = frozenset({(1, "payments")})
        _, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        assert story.missing == {}

    def test_a_chain_judges_each_hop_against_the_log_above(self):
        story = Story(CHAIN)
        first, second = lost_and_overtaken(story)
        story.copied(first)
        story.copied(story.copied(second))
        story.settle()
        assert story.missing == {"far": 1}

    def test_one_of_two_legitimate_copies_can_be_missing(self):
        story = Story()
        first = story.source()
        story.source()
        story.copied(story.source("later"))
        story.copied(first)
        story.settle()
        assert (story.missing, story.found) == ({"dr": 1}, ["source[0]@1 identical"])


class TestRecovered:
    def test_a_rewind_delivers_it_after_all(self):
        story = Story()
        lost, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        story.copied(lost)
        story.settle()
        assert (story.missing, story.recovered) == ({"dr": 1}, {"dr": 1})
        assert story.found == []

    def test_a_second_delivery_is_a_duplicate_and_recovers_nothing_more(self):
        story = Story()
        lost, later = lost_and_overtaken(story)
        story.copied(later)
        story.settle()
        story.copied(lost)
        story.settle()
        story.copied(lost)
        story.settle()
        assert story.recovered == {"dr": 1}
        assert story.found == ["dr[0]@2 identical"]


class TestEqualRecordsInTwoPartitions:
    """The application sent one record into two partitions at once: equal tags."""

    def test_the_copy_of_one_is_no_witness_in_the_partition_of_the_other(self):
        story = Story()
        before = story.source("before", partition=0)
        here, there = story.source("twin", partition=0), story.source("twin", partition=2)
        story.copied(there)
        story.settle()
        assert story.missing == {}
        story.copied(before)
        story.copied(here)
        story.settle()
        assert (story.missing, story.recovered) == ({}, {})

    def test_nor_is_it_while_the_other_was_not_read_yet(self):
        story = Story()
        story.source("before", partition=0)
        story.source("twin", partition=0)
        there = story.source("twin", partition=2)
        story.copied(there)
        story.cycle(between=there)
        story.cycle(between=there)
        story.settle()
        assert story.missing == {}

    def test_nor_is_the_copy_of_either_of_two_in_one_partition(self):
        story = Story()
        story.source("lost", at=1)
        story.copied(story.source("twice", at=2), partition=1)
        story.source("twice", at=2)
        story.settle()
        assert story.missing == {}

    def test_a_lone_copy_in_another_partition_is_one_once_the_source_was_read(self):
        story = Story()
        story.source("lost")
        story.copied(story.source("later"), partition=1)
        story.settle()
        assert story.missing == {"dr": 1}


class TestTagsWithoutTime:
    def test_a_later_copy_is_a_witness(self):
        story = Story(TIMELESS)
        story.source("lost")
        story.source("later")
        story.mirror("later", at=WINDOW // 2)
        story.settle()
        assert story.missing == {"dr": 1}
