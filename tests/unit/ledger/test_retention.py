from __future__ import annotations

from dataclasses import replace

from dupscope.ledger.rows import bytes_per_key
from unit.ledger.world import MARGIN, NOW, SETTINGS, WINDOW, Story

SMALL = replace(SETTINGS, memory_bytes=1 << 15)
CAPACITY = Story(settings=SMALL).ledger.held.rows.capacity


def crowd(story: Story, count: int, prefix: str = "k", first: int = 0) -> None:
    for index in range(count):
        story.source(f"{prefix}{index}", at=first + index)


class TestExpiry:
    def test_keys_below_the_edge_are_freed(self):
        story = Story()
        crowd(story, 600)
        story.settle()
        story.cycle(later=WINDOW + MARGIN + 1000)
        assert len(story.ledger.held.rows) < 300
        assert story.ledger.held.retention.evictions == 0

    def test_a_case_with_a_recent_copy_lives_on(self):
        story = Story(settings=replace(SETTINGS, keep_lines=True))
        story.source("kept", at=0)
        crowd(story, 600)
        story.settle()
        story.source("kept", at=WINDOW - 1, partition=1)
        story.settle()
        story.cycle(later=WINDOW + MARGIN)
        story.source("kept", at=story.clock - MARGIN, partition=2)
        story.settle()
        assert story.found == ["source[1]@0 identical", "source[2]@0 identical"]

    def test_after_it_the_key_begins_anew(self):
        story = Story()
        story.source(at=0)
        story.settle()
        story.cycle(later=2 * (WINDOW + MARGIN))
        story.source(at=story.clock)
        story.settle()
        assert (story.found, story.unverified) == ([], {})

    def test_a_closed_case_leaves_its_line(self):
        story = Story(settings=replace(SETTINGS, keep_lines=True))
        story.source("twice", at=0)
        story.source("twice", at=1)
        crowd(story, 600, first=2)
        story.settle()
        story.cycle(later=WINDOW + MARGIN + 1000)
        assert [len(line["source"]) for line in story.closed] == [2]


class TestEviction:
    def test_memory_stays_bounded(self):
        story = Story(settings=SMALL)
        crowd(story, 3 * CAPACITY)
        story.settle()
        rows, book = story.ledger.held.rows, story.ledger.held.book
        assert len(rows) <= rows.capacity == CAPACITY
        assert rows.directory.nbytes <= 3 * 12 * CAPACITY
        assert book.nbytes <= SMALL.memory_bytes
        assert story.ledger.held.retention.evictions > 0

    def test_cases_are_bounded_as_well(self):
        story = Story(settings=SMALL)
        for index in range(300):
            story.source(f"k{index}", at=10 * index)
            story.source(f"k{index}", at=10 * index + 1)
            story.cycle()
        held = story.ledger.held
        used = len(held.rows) * bytes_per_key(held.topology) + held.book.nbytes
        assert used <= SMALL.memory_bytes
        assert len(story.found) == 300
        assert held.retention.evictions > 0

    def test_nothing_is_silent_about_a_key_whose_case_was_given_up(self):
        """In one read come more doubled keys than fit; each is reported, and a third copy is counted."""
        story = Story(settings=SMALL)
        for again in range(2):
            for index in range(100):
                story.source(f"k{index}", at=index + 100 * again)
        story.cycle()
        assert len(story.found) == 100
        for index in range(100):
            story.source(f"k{index}", at=300 + index)
        story.cycle()
        lost = story.unverified["source expired"]
        assert lost > 0
        assert len(story.found) + lost == 200

    def test_it_moves_the_coverage_start(self):
        story = Story(settings=SMALL)
        crowd(story, 2 * CAPACITY)
        story.settle()
        evicted = story.ledger.held.retention.evicted_until
        assert evicted is not None
        assert NOW <= evicted < NOW + 2 * CAPACITY
        assert story.ledger.held.last_view.covered_since == (evicted, evicted)

    def test_it_makes_no_false_finding(self):
        """The source copies of the first keys are gone when the mirror delivers them."""
        story = Story(settings=SMALL)
        crowd(story, 2 * CAPACITY)
        story.settle()
        for index in range(2 * CAPACITY):
            story.mirror(f"k{index}", at=index)
        story.settle()
        story.mirror("k1", at=1)
        story.settle()
        assert (story.found, story.missing) == ([], {})

    def test_what_is_late_enough_is_still_judged(self):
        story = Story(settings=SMALL)
        crowd(story, 2 * CAPACITY)
        story.settle()
        original = story.source(at=2 * MARGIN)
        story.copied(original)
        story.copied(original)
        story.settle()
        assert story.found == ["dr[0]@1 identical"]

    def test_keys_stay_findable_while_the_ring_turns(self):
        story = Story(settings=SMALL)
        for lap in range(5):
            crowd(story, CAPACITY // 2, prefix=f"lap{lap}-", first=1000 * lap)
            story.settle()
            again = story.source(f"lap{lap}-7", at=1000 * lap + 8)
            story.settle()
            assert f"source[0]@{again.offset} identical" in story.found
        assert len(story.found) == 5
