from __future__ import annotations

from dataclasses import replace

from dupscope.ledger.ledger import Ledger
from dupscope.ledger.state import LedgerState
from unit.ledger.world import MARGIN, NUMBERS, PAIR, SETTINGS, WINDOW, Story


class TestCycle:
    def test_a_clean_pipeline_has_nothing_to_say(self):
        story = Story()
        for at in range(20):
            story.effect(story.copied(story.source(f"p{at}", at=at)))
        story.settle()
        assert (story.found, story.unverified, story.missing, story.lines) == ([], {}, {}, [])
        assert story.balanced

    def test_no_barrier_is_wanted_where_nothing_waits(self):
        story = Story()
        story.source()
        story.cycle()
        assert not story.ledger.wants_barrier
        assert story.ledger.quiet

    def test_findings_come_in_the_order_of_time(self):
        story = Story()
        for at in (9, 3, 5, 7):
            story.source(at=at)
        story.settle()
        stamps = [finding.timestamp for finding in story.findings]
        assert stamps == sorted(stamps)

    def test_other_keys_are_other_facts(self):
        story = Story()
        story.source("p")
        story.source("q")
        story.settle()
        assert story.found == []


class TestQuiet:
    def test_it_is_not_while_a_suspect_waits(self):
        story = Story()
        story.copied(story.source())
        story.cycle("dr")
        assert not story.ledger.quiet
        story.cycle()
        story.cycle()
        assert story.ledger.quiet

    def test_it_is_not_while_an_effect_waits(self):
        story = Story()
        story.effect(story.copied(story.source()))
        story.cycle("charger")
        assert not story.ledger.quiet
        assert story.settle().ledger.quiet

    def test_it_is_not_while_a_copy_may_be_missing(self):
        story = Story()
        story.source("lost")
        story.copied(story.source("later"))
        story.cycle("source")
        story.cycle("dr", ends={3: 99})
        assert not story.ledger.quiet


class TestSuspects:
    def test_every_stage_downstream_is_listed(self):
        assert Story().ledger.suspects() == {1: 0, -1: 0}

    def test_one_key_is_one_suspect_however_many_copies_it_has(self):
        story = Story()
        story.source("other")
        original = story.source()
        for _ in range(4):
            story.copied(original)
        story.cycle("dr")
        assert story.open("dr") == 1
        story.settle()
        assert story.open("dr") == 0

    def test_nothing_is_the_oldest_where_there_is_none(self):
        story = Story()
        assert story.ledger.oldest_suspect_ms(1) is None
        assert story.ledger.oldest_suspect_ms(-1) is None


class TestNamesakes:
    """A topic was deleted and created again; an audit line names only its name."""

    def test_an_effect_on_the_old_topic_is_found_there(self):
        story = Story()
        copy = story.copied(story.source())
        story.cycle()
        old = story.table[copy.slot]
        slot = story.table.slot(replace(old, topic_id="id-again"))
        named_again = copy._replace(log=slot // NUMBERS, partition=slot % NUMBERS)
        story.effect(copy)
        story.effect(named_again)
        story.settle()
        assert story.found == ["charger dr[0]@0 #2"]
        assert story.unverified == {}

    def test_an_effect_that_neither_topic_explains_is_no_copy(self):
        story = Story()
        copy = story.copied(story.source())
        story.cycle()
        slot = story.table.slot(replace(story.table[copy.slot], topic_id="id-again"))
        story.effect(copy._replace(log=slot // NUMBERS, partition=slot % NUMBERS, offset=3))
        story.settle()
        assert story.unverified == {"charger no_copy": 1}


class TestRestore:
    def test_a_case_that_has_left_a_stored_block_does_not_come_back(self):
        """Its row moves when the older part of its block is freed; what is left of the block stays as it was.

        Later the ring comes round to where the row was. The key that gets the slot has its own history.
        """
        story = Story(settings=replace(SETTINGS, block_rows=500))
        first = story.source("kept", partition=1)
        story.copied(first)
        story.cycle()
        for index in range(600):
            story.source(f"k{index}", at=0 if index < 300 else WINDOW // 2)
            if index == 299:
                story.cycle()
        again = story.source("kept", at=WINDOW - 1, partition=1)
        story.copied(again)
        story.settle()
        blocks = dict(story.ledger.export().blocks)
        story.cycle(later=WINDOW + MARGIN)
        state = story.ledger.export()
        assert state.small["rows"] == [256, 602]
        assert 0 in state.held
        assert 0 not in state.blocks
        live, story.ledger = story.ledger.held, Ledger(PAIR, story.ledger.held.settings, story.table)
        story.ledger.restore(LedgerState(state.small, {**blocks, **state.blocks}, state.held))
        book, rows = story.ledger.held.book, story.ledger.held.rows
        assert (list(book.cases), book.nbytes) == (list(live.book.cases), live.book.nbytes)
        for index in range(rows.capacity - rows.next):
            story.source(f"new{index}", at=story.clock)
        story.cycle()
        story.source("gets the slot", at=story.clock)
        story.mirror("gets the slot", at=story.clock, value="changed on the way")
        story.settle()
        assert rows.next == rows.capacity + 1
        assert story.found == ["source[1]@1 identical"]
