from __future__ import annotations

from unit.ledger.world import CHAIN, Story


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
