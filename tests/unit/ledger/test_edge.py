from __future__ import annotations

import numpy as np
import pytest

from dupscope.ledger.edge import NEVER, Edge
from dupscope.ledger.settings import FUTURE_MS
from unit.ledger.world import MARGIN, NOW, SETTINGS, WINDOW, Place, record_batch


@pytest.fixture
def edge():
    return Edge(SETTINGS)


def saw(edge: Edge, *stamps: int, partition: int = 0) -> None:
    places = [Place(0, partition, offset, "p", NOW + at, "") for offset, at in enumerate(stamps)]
    edge.observe(record_batch(places), 2, NOW)


def after(edge: Edge, *, ended: tuple[bool, bool] = (False, False)) -> tuple[int, int]:
    """Floor and edge after `NOW`, with two partitions tailed."""
    edge.advance([0, 1], np.array(ended) * NOW)
    return edge.floor - NOW, edge.edge - NOW


class TestAdvance:
    def test_nothing_is_known_until_every_partition_was_seen(self, edge):
        saw(edge, 5)
        edge.advance([0, 1], np.zeros(2, np.int64))
        assert (edge.floor, edge.edge) == (NEVER, NEVER)

    def test_the_slowest_partition_holds_it_back(self, edge):
        saw(edge, -50)
        saw(edge, -700, -900, partition=1)
        assert after(edge) == (-700 - MARGIN, -700 - MARGIN - WINDOW)

    def test_a_partition_at_its_end_counts_as_now(self, edge):
        saw(edge, -700)
        assert after(edge, ended=(False, True)) == (-700 - MARGIN, -700 - MARGIN - WINDOW)
        assert after(edge, ended=(True, True)) == (-MARGIN, -MARGIN - WINDOW)

    def test_an_end_that_was_seen_a_while_ago_counts_as_of_then(self, edge):
        edge.advance([0, 1], np.array([NOW, NOW - 90_000]))
        assert edge.floor == NOW - 90_000 - MARGIN

    def test_stamps_far_ahead_of_the_clock_say_nothing(self, edge):
        saw(edge, -700, FUTURE_MS + 1)
        saw(edge, FUTURE_MS, partition=1)
        assert after(edge)[0] == -700 - MARGIN

    def test_it_only_rises(self, edge):
        after(edge, ended=(True, True))
        edge.advance([0, 1], np.full(2, NOW - 5000))
        assert edge.floor == NOW - MARGIN

    def test_without_partitions_it_stays(self, edge):
        edge.advance([], np.zeros(2, np.int64))
        assert edge.edge == NEVER


class TestEvict:
    def test_it_raises_the_edge_and_leaves_the_floor(self, edge):
        edge.evict(NOW)
        assert (edge.edge, edge.floor) == (NOW + 1, NEVER)
