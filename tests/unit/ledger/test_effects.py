from __future__ import annotations

import numpy as np
import pytest

from dupscope.ledger.edge import Edge
from dupscope.ledger.effects import ENTERED, EffectScreen, Waiting, joined, nothing_waiting, taken
from dupscope.ledger.rows import NO_POSITION, Rows
from dupscope.ledger.screen import Screen
from unit.ledger.world import NOW, PAIR, SETTINGS, Line, Place, effect_batch, record_batch

COPY = Place(1, 0, 0, "p", NOW, "10 EUR")


@pytest.fixture
def rows():
    """One key in the norm: a source copy and its faithful copy."""
    made = Rows(PAIR, 64)
    screen = Screen(PAIR, made)
    screen.observe(record_batch([COPY._replace(log=0)]), Edge(SETTINGS))
    screen.observe(record_batch([COPY]), Edge(SETTINGS))
    return made


def lines(*positions: int, at: int = 5, effect_id: int = 0) -> Waiting:
    batch = effect_batch(0, [Line("p", position, NOW + at, effect_id) for position in positions])
    return joined(nothing_waiting(0), batch, 3)


def observe(rows: Rows, waiting: Waiting) -> tuple[list[bool], list[int]]:
    look, slots = EffectScreen(PAIR, rows).observe(waiting)
    return look.tolist(), slots.tolist()


class TestObserve:
    def test_the_first_effect_of_a_copy_goes_into_its_row(self, rows):
        assert observe(rows, lines(COPY.packed, effect_id=9)) == ([False], [ENTERED])
        assert (rows.read[0][0], rows.effect_id[0][0], rows.at[0][0]) == (2, 9, 5)

    def test_a_second_one_needs_a_look(self, rows):
        observe(rows, lines(COPY.packed))
        assert observe(rows, lines(COPY.packed)) == ([True], [0])

    def test_also_within_one_batch(self, rows):
        assert observe(rows, lines(COPY.packed, COPY.packed)) == ([False, True], [ENTERED, 0])

    def test_one_without_position_goes_there_too(self, rows):
        assert observe(rows, lines(0)) == ([False], [ENTERED])
        assert rows.read[0][0] == NO_POSITION

    def test_one_that_comes_before_its_copy_waits(self, rows):
        assert observe(rows, lines(COPY._replace(offset=1).packed)) == ([False], [0])

    def test_one_of_a_key_that_nobody_has_waits(self):
        assert observe(Rows(PAIR, 64), lines(COPY.packed)) == ([False], [-1])


class TestWaiting:
    def test_earlier_lines_stay_first(self):
        waiting = joined(lines(1), lines(2).batch, 4)
        assert waiting.batch.position.tolist() == [1, 2]
        assert waiting.cycle.tolist() == [3, 4]

    def test_what_is_taken_keeps_its_order(self):
        left = taken(lines(1, 2, 3), np.array([True, False, True]))
        assert (left.batch.position.tolist(), len(left)) == ([1, 3], 2)
