from __future__ import annotations

from dupscope.ledger.rows import CASE, NO_POSITION
from unit.ledger.world import Story


def book(story: Story):
    return story.ledger.held.book


class TestSettle:
    def test_a_key_with_a_duplicate_stays_a_case(self):
        story = Story()
        story.source()
        story.source()
        story.settle()
        assert len(book(story).cases) == 1

    def test_a_key_that_was_only_suspected_returns_to_its_row(self):
        """The clock of its sink is a little slow: the effect seems to come before the record."""
        story = Story()
        story.copied(story.source())
        story.effect(None, at=-5)
        story.settle()
        assert book(story).cases == {}
        assert story.ledger.held.rows.read[0][0] == NO_POSITION

    def test_its_bytes_are_given_back_with_it(self):
        story = Story()
        story.source()
        story.source()
        story.settle()
        held = book(story)
        held.close(next(iter(held.cases)))
        assert (held.nbytes, sum(held.suspects.values())) == (0, 0)


class TestOpen:
    def test_what_the_row_held_moves_into_the_case(self):
        story = Story()
        original = story.source(at=3)
        copy = story.copied(original)
        story.effect(copy, at=40, effect_id=5)
        story.settle()
        rows = story.ledger.held.rows
        case = book(story).open(0, (int(rows.fp_hi[0]), 1), 7)
        assert [(c.log, c.position, c.timestamp) for c in case.copies] == [
            (0, original.packed, original.at),
            (1, copy.packed, copy.at),
        ]
        effect = case.effects[0]
        assert (effect.position, effect.effect_id, effect.at - original.at) == (copy.packed, 5, 37)
        assert rows.state[0] & CASE

    def test_an_effect_without_position_keeps_none(self):
        story = Story()
        story.copied(story.source())
        story.effect(None)
        story.settle()
        case = book(story).open(0, (1, 1), 7)
        assert [effect.position for effect in case.effects] == [0]

    def test_opening_twice_gives_the_same_case(self):
        story = Story()
        story.source()
        story.settle()
        assert book(story).open(0, (1, 1), 7) is book(story).open(0, (1, 1), 8)
