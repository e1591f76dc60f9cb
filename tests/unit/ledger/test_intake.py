from __future__ import annotations

import pytest

from dupscope.ledger.settings import LedgerSettings
from unit.ledger.world import MARGIN, NOW, SETTINGS, WINDOW, Story

LIMIT = SETTINGS.case_limit
ROOMY = LedgerSettings(WINDOW, MARGIN, memory_bytes=1 << 24)


class TestHotKey:
    """Trap 10: a case holds at most 1,000 copies."""

    @pytest.fixture
    def story(self):
        return Story(settings=ROOMY)

    def test_copies_beyond_the_limit_are_counted_and_not_held(self, story):
        original = story.source()
        for _ in range(LIMIT + 500):
            story.copied(original)
        story.settle()
        assert story.found == []
        assert story.unverified["dr hot_key"] == LIMIT + 499
        assert [len(case.copies) for case in story.ledger.held.book.cases.values()] == [LIMIT]

    def test_its_memory_stays_what_it_is(self, story):
        original = story.source()
        for _ in range(LIMIT):
            story.copied(original)
        story.settle()
        before = story.ledger.held.book.nbytes
        for _ in range(LIMIT):
            story.copied(original)
        story.settle()
        assert story.ledger.held.book.nbytes == before

    def test_up_to_the_limit_it_is_judged_as_any_other(self, story):
        original = story.source()
        for _ in range(LIMIT - 1):
            story.copied(original)
        story.settle()
        assert len(story.found) == LIMIT - 2
        assert story.unverified == {}

    def test_a_source_that_floods_makes_no_false_finding_in_the_mirror(self, story):
        """The mirror's copies of what was not held look like excess."""
        for at in range(LIMIT + 100):
            story.copied(story.source(at=at))
        story.settle()
        assert not [text for text in story.found if text.startswith("dr")]
        assert story.missing == {}

    def test_effects_beyond_the_limit_are_unverified(self, story):
        copy = story.copied(story.source())
        for _ in range(LIMIT + 100):
            story.effect(copy)
        story.settle()
        assert story.unverified["charger hot_key"] >= 100
        assert len(story.found) < LIMIT

    def test_the_rest_of_the_keys_is_not_touched(self, story):
        original = story.source()
        for _ in range(LIMIT + 10):
            story.copied(original)
        other = story.source("other")
        story.copied(other)
        last = story.copied(other)
        story.settle()
        assert story.found == [f"dr[0]@{last.offset} identical"]

    def test_it_cools_when_its_old_cases_have_expired(self, story):
        for _ in range(LIMIT):
            story.source()
        story.settle()
        story.cycle(later=2 * WINDOW + 2 * MARGIN)
        story.source(at=story.clock)
        story.settle()
        assert "source hot_key" not in story.unverified


class TestExpired:
    def test_a_copy_below_the_edge_is_expired(self):
        story = Story()
        story.source("other")
        story.settle()
        story.copied(story.source(at=-WINDOW - MARGIN - 1))
        story.settle()
        assert story.unverified == {"source expired": 1, "dr expired": 1}
        assert story.found == []

    def test_also_where_its_key_is_held(self):
        story = Story()
        story.copied(story.source())
        story.settle()
        story.mirror(at=-WINDOW - MARGIN - 1)
        story.settle()
        assert story.unverified == {"dr expired": 1}

    def test_a_copy_that_would_begin_a_case_below_the_floor_is_expired(self):
        story = Story()
        story.source("other")
        story.settle()
        story.source(at=-MARGIN - 1)
        story.settle()
        assert story.unverified == {"source expired": 1}

    def test_a_late_copy_of_a_case_that_is_held_is_not(self):
        story = Story()
        story.source(at=0)
        story.settle()
        story.source(at=-MARGIN - 1)
        story.settle()
        assert story.unverified == {}
        assert len(story.found) == 1

    def test_a_source_copy_that_begins_another_case_of_a_held_key_is(self):
        story = Story()
        story.source(at=WINDOW, partition=1)
        story.settle()
        story.source(at=-MARGIN - 1)
        story.settle()
        assert story.unverified == {"source expired": 1}
        assert story.found == []

    def test_before_anything_is_known_nothing_is_expired(self):
        story = Story()
        story.source(at=-3 * WINDOW)
        story.cycle()
        assert story.unverified == {}


class TestReading:
    def test_a_read_in_portions_gives_the_same_as_one(self):
        whole, parts = Story(), Story()
        for story in (whole, parts):
            original = story.source()
            story.copied(original)
            last = story.copied(original)
            if story is parts:
                story.cycle(between=last)
            story.settle()
        assert whole.found == parts.found == ["dr[0]@1 identical"]

    def test_upstream_goes_in_before_downstream_whatever_the_order_of_the_batches(self):
        story = Story()
        story.copied(story.source())
        story.cycle()
        assert story.open("dr") == 0

    def test_an_effect_waits_for_its_record(self):
        story = Story()
        copy = story.copied(story.source())
        story.effect(copy)
        story.cycle("charger")
        assert story.open("charger") == 1
        story.settle()
        assert (story.unverified, story.found) == ({}, [])

    def test_a_position_that_is_read_again_never_counts(self):
        story = Story()
        original = story.source()
        story.copied(original)
        story.copied(original)
        story.settle()
        story.rewind()
        story.settle()
        assert story.found == ["dr[0]@1 identical"]
        assert story.unverified == {}

    def test_nor_does_it_where_the_key_was_in_the_norm(self):
        story = Story()
        story.copied(story.source())
        story.settle()
        story.rewind()
        story.settle()
        assert story.found == []
        assert story.ledger.held.book.cases == {}


class TestKeyOfACopyThatCameTooLate:
    """The copy is not held; judged without it, its faithful copies would look like duplicates."""

    def late(self, enumerated_ms: int | None = None) -> Story:
        """Every partition has been read beyond a margin."""
        story = Story()
        story.enumerated_ms = enumerated_ms
        for log in range(2):
            for partition in range(3):
                story.record(log, f"other-{partition}", at=2 * MARGIN, partition=partition)
        story.settle()
        return story

    def test_a_mirrors_copies_of_it_are_no_duplicates(self):
        story = self.late()
        original = story.source(at=0)
        story.cycle()
        again = story.source(at=2 * MARGIN)
        for place in (original, again):
            story.copied(place)
        story.settle()
        assert story.found == []
        assert story.unverified["source expired"] == 2
        assert story.unverified["dr expired"] == 2

    def test_nor_are_those_that_came_first(self):
        story = self.late()
        story.mirror(at=0)
        story.cycle("dr")
        story.source(at=0)
        story.source(at=2 * MARGIN)
        story.copied(story.source(at=2 * MARGIN))
        story.settle()
        assert not [found for found in story.found if found.startswith("dr")]

    def test_another_key_is_not_concerned(self):
        story = self.late()
        story.source(at=0)
        place = story.source("q", at=2 * MARGIN)
        for _ in range(2):
            story.copied(place)
        story.settle()
        assert len(story.found) == 1

    def test_a_partition_that_was_added_meanwhile_is_not_too_late(self):
        story = self.late(enumerated_ms=NOW)
        story.source(at=0)
        story.settle()
        assert "source expired" not in story.unverified
