from __future__ import annotations

import numpy as np
import pytest

from dupscope.ledger.edge import Edge
from dupscope.ledger.rows import Rows
from dupscope.ledger.screen import Screen
from unit.ledger.world import NOW, PAIR, SETTINGS, TIMELESS, Place, record_batch


def record(log: int, offset: int, key: str = "p", at: int = 0, value: str = "10 EUR") -> Place:
    return Place(log, 0, offset, key, NOW + at, value)


class Screening:
    """A screen, its rows, and what the last batch came to."""

    def __init__(self, topology=PAIR):
        self.rows = Rows(topology, 64)
        self.edge = Edge(SETTINGS)
        self._screen = Screen(topology, self.rows)

    def see(self, *places: Place):
        return self._screen.observe(record_batch(list(places)), self.edge)


@pytest.fixture
def screen():
    return Screening()


class TestNorm:
    def test_a_first_copy_and_its_faithful_copy_need_no_look(self, screen):
        assert not len(screen.see(record(0, 0)).look)
        screened = screen.see(record(1, 0))
        assert (len(screened.look), len(screened.orphans), len(screened.paired[1])) == (0, 0, 1)
        assert len(screen.rows) == 1

    def test_a_downstream_copy_that_is_alone_is_an_orphan_until_its_source_comes(self, screen):
        assert len(screen.see(record(1, 0)).orphans) == 1
        screened = screen.see(record(0, 0))
        assert (len(screened.orphans), len(screened.paired[1]), len(screened.filled)) == (0, 1, 1)

    def test_where_tags_have_no_time_another_time_is_the_same(self):
        screen = Screening(TIMELESS)
        screen.see(record(0, 0))
        assert not len(screen.see(record(1, 0, at=77)).look)


class TestLook:
    def test_a_second_copy_in_a_log_needs_one(self, screen):
        screen.see(record(0, 0))
        assert list(screen.see(record(0, 1)).look) == [0]

    def test_also_within_one_batch(self, screen):
        assert list(screen.see(record(0, 0), record(0, 1, "other"), record(0, 2)).look) == [2]

    @pytest.mark.parametrize("other", [{"at": 1}, {"value": "11 EUR"}])
    def test_a_copy_of_another_tag_needs_one(self, screen, other):
        screen.see(record(0, 0))
        assert list(screen.see(record(1, 0, **other)).look) == [0]

    def test_a_source_copy_that_does_not_fit_the_mirrors_copy_needs_one(self, screen):
        screen.see(record(1, 0))
        assert list(screen.see(record(0, 0, value="11 EUR")).look) == [0]

    def test_keys_that_share_the_low_half_of_their_fingerprint_stay_apart(self, screen):
        batch = record_batch([record(0, 0, "p"), record(0, 1, "q")])
        batch.fp_lo[:] = 7
        screened = screen._screen.observe(batch, screen.edge)
        assert list(screened.look) == [1]
        assert screen.rows.find_one(int(batch.fp_hi[1]), 7) == -1


class TestExpired:
    def test_what_lies_below_the_edge_is_counted_and_not_held(self, screen):
        screen.edge.evict(NOW)
        assert screen.see(record(0, 0), record(0, 1, "q", at=1)).expired == 1
        assert len(screen.rows) == 1

    def test_so_is_what_would_begin_a_case_below_the_floor(self, screen):
        screen.edge.advance([0], np.array([NOW + SETTINGS.margin_ms + 5]))
        assert screen.see(record(0, 0)).expired == 1
