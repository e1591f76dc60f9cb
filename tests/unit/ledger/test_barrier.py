from __future__ import annotations

import numpy as np

from dupscope.ledger.barrier import Barrier, Barriers
from unit.ledger.world import CHAIN, NUMBERS, PAIR, WINDOW, Story, partition_table

SINK = -1


def barriers(topology=PAIR):
    return Barriers(topology, partition_table(topology))


def at(*logs):
    """One offset for every partition of each log."""
    return np.repeat(np.array(logs, np.int64), NUMBERS)


def barrier(cycle, ends):
    return Barrier(cycle, 1000 * cycle, ends, tuple(np.zeros(0, np.int64) for _ in range(3)))


class TestPassing:
    def test_a_mirror_waits_for_the_logs_above_it_only(self):
        held = barriers(CHAIN)
        held.add(barrier(1, at(5, 5, 5)))
        held.advance(at(5, 0, 0))
        assert held.through == {1: 1, 2: -1, SINK: -1}
        held.advance(at(5, 5, 0))
        assert held.through == {1: 1, 2: 1, SINK: -1}
        held.advance(at(5, 5, 5))
        assert held.through == {1: 1, 2: 1, SINK: 1}

    def test_one_partition_that_is_short_holds_it_back(self):
        held = barriers()
        held.add(barrier(1, at(5, 0)))
        positions = at(5, 0)
        positions[1] = 4
        held.advance(positions)
        assert held.through[1] == -1
        assert held.short_of(held.pending[0], 1, positions) == [1]

    def test_what_is_judged_reaches_to_the_ends_that_were_taken(self):
        held = barriers()
        held.add(barrier(1, at(5, 7)))
        held.advance(at(9, 9))
        assert list(held.judged_until[1]) == list(at(5, 7))

    def test_later_barriers_do_not_pass_before_earlier_ones(self):
        held = barriers()
        held.add(barrier(1, at(5, 0)))
        held.add(barrier(2, at(9, 0)))
        held.advance(at(6, 0))
        assert held.through[1] == 1

    def test_a_barrier_passed_everywhere_is_forgotten(self):
        held = barriers()
        held.add(barrier(1, at(1, 1)))
        held.advance(at(1, 1))
        assert not held.pending


class TestStories:
    def test_a_mirror_read_before_its_source_is_not_ahead_of_it(self):
        """Trap 1: D = 1, S = 0 for a moment."""
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        again = story.source()
        story.cycle("dr")
        story.cycle("source", between=again)
        assert story.found == []
        story.settle()
        assert story.found == ["source[0]@1 identical"]

    def test_a_copy_that_is_far_ahead_of_the_tail_of_its_source_waits(self):
        story = Story()
        story.copied(story.source())
        story.cycle()
        story.copied(story.source(at=5))
        story.cycle("dr")
        story.cycle("dr")
        assert (story.found, story.open("dr")) == ([], 1)
        story.settle()
        assert story.found == ["source[0]@1 identical"]

    def test_only_copies_below_the_ends_taken_are_judged(self):
        """A copy that was appended after the end offsets were taken needs the next barrier."""
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.cycle(ends={NUMBERS: 1})
        assert story.found == []

    def test_a_hot_key_does_not_postpone_its_own_judgement(self):
        """A barrier is never renewed: each is passed by what was read meanwhile."""
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.cycle("dr")
        for at in range(1, 5):
            story.copied(story.source(at=at))
            story.cycle("dr")
        story.cycle("source")
        assert "dr[0]@1 identical" in story.found

    def test_a_transaction_that_hangs_is_visible_and_then_given_up(self):
        story = Story()
        original = story.source()
        story.copied(original)
        story.hold_back(log=0)
        story.source("other")
        story.copied(original)
        story.cycle()
        taken = story.clock
        story.cycle(later=WINDOW // 2)
        assert story.open("dr") == 1
        assert story.ledger.oldest_suspect_ms(1) is not None
        assert not story.ledger.quiet
        story.cycle(later=WINDOW // 2 + 1)
        assert story.clock - taken > WINDOW
        assert story.found == []
        assert story.unverified.keys() == {"dr open_transaction"}
        assert story.open("dr") == 0

    def test_a_log_that_cannot_be_read_to_its_end_is_given_up_as_unreadable(self):
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.cycle(between=original)
        story.cycle("dr", between=original)
        story.source("other")
        story.cycle("dr", later=WINDOW + 1)
        assert story.unverified["dr unreadable"] == 2
        assert story.found == []

    def test_a_copy_given_up_unjudged_still_stands_for_its_source_copy(self):
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.hold_back(log=0)
        hidden = story.source("hidden", at=WINDOW)
        story.cycle()
        story.cycle(later=WINDOW + 1)
        story.release(log=0)
        story.copied(hidden)
        story.copied(story.source("later", at=WINDOW + 1))
        story.settle()
        assert (story.found, story.missing) == ([], {})

    def test_effects_that_wait_behind_it_are_given_up_with_the_reason(self):
        story = Story()
        original = story.source()
        story.effect(story.copied(original))
        story.hold_back(log=0)
        story.source("other")
        story.effect(story.copied(original))
        story.cycle()
        story.cycle(later=WINDOW + 1)
        assert story.unverified["charger open_transaction"] == 2
        assert story.extra_effects == {}
