from __future__ import annotations

import numpy as np

from dupscope.ledger.orphans import Orphans
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.rows import Rows
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from unit.ledger.world import CHAIN, NOW, PAIR, Story


class TestOrphans:
    def test_a_copy_without_source_copy_is_a_suspect_until_the_barrier_passes(self):
        story = Story()
        story.mirror()
        story.source("other")
        story.cycle("dr")
        assert story.open("dr") == 1
        story.cycle("source")
        assert story.open("dr") == 0
        assert story.unverified == {"dr not_in_source": 1}

    def test_a_source_copy_in_time_explains_it(self):
        story = Story()
        story.copied(story.source())
        story.cycle("dr")
        story.settle()
        assert (story.unverified, story.found) == ({}, [])

    def test_it_is_counted_once_and_never_a_duplicate(self):
        story = Story()
        story.mirror()
        story.settle()
        story.mirror()
        story.settle()
        assert story.unverified == {"dr not_in_source": 2}
        assert story.found == []

    def test_its_age_is_told(self):
        story = Story()
        story.mirror()
        story.source()
        story.cycle("dr")
        read_at = story.clock
        story.cycle("dr")
        assert story.ledger.oldest_suspect_ms(1) % 1_000_000 == read_at
        story.settle()
        assert story.ledger.oldest_suspect_ms(1) is None

    def test_in_a_chain_the_log_above_decides(self):
        story = Story(CHAIN)
        story.record(2, "p")
        story.source("p")
        story.settle()
        assert story.unverified == {"far not_in_source": 1}


class TestGiveUp:
    def test_what_one_cycle_read_in_pieces(self):
        """Each piece of a large batch leaves a group: all of that cycle are closed, later ones wait."""
        rows = Rows(PAIR, 16)
        keys = np.arange(6, dtype=np.uint64)
        slots = rows.append(keys, keys, np.full(6, NOW), keys)
        rows.position[1][slots] = slots + 1
        orphans, outcome = Orphans(PAIR, rows), Outcome()
        for cycle, part in ((1, slots[:2]), (1, slots[2:4]), (2, slots[4:])):
            orphans.add(cycle, NOW, 1, part)
        orphans.give_up(1, 1, Reason.UNREADABLE, outcome)
        assert outcome.unverified == {(Layer.MIRROR, "dr", Reason.UNREADABLE): 4}
        assert orphans.count() == {1: 2}


class TestEffectsOnOrphans:
    """Nothing is skipped silently: who acts on a copy that has no source acts on nothing known."""

    def test_one_that_was_there_is_lost_with_the_copy(self):
        story = Story()
        story.effect(story.mirror())
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 1}

    def test_one_that_comes_later_too(self):
        story = Story()
        copy = story.mirror()
        story.settle()
        story.effect(copy)
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 1}

    def test_neither_is_counted_again_when_the_key_leaves_the_norm(self):
        story = Story()
        copy = story.mirror()
        story.effect(copy)
        story.settle()
        story.effect(copy, at=60)
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 2}
        story.source()
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 2}
        assert story.found == []

    def test_nor_when_its_source_turns_up_late(self):
        story = Story()
        copy = story.mirror()
        story.effect(copy)
        story.settle()
        story.source()
        story.effect(copy, at=60)
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 1}
        assert story.balanced

    def test_further_down_a_chain_as_well(self):
        story = Story(CHAIN)
        copy = story.copied(story.mirror())
        story.effect(copy)
        story.settle()
        assert story.unverified == {"dr not_in_source": 1, "charger not_in_source": 1}
