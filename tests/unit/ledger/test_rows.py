from __future__ import annotations

import numpy as np
import pytest

from dupscope.ledger.rows import Rows, bytes_per_key
from unit.ledger.world import NOW, PAIR

CAPACITY = 8


@pytest.fixture
def rows():
    return Rows(PAIR, CAPACITY)


def add(rows: Rows, *keys: int) -> list[int]:
    """Append keys (ascending), stamped by their number."""
    column = np.array(keys, np.uint64)
    return rows.append(column + np.uint64(1000), column, column.astype(np.int64) + NOW, column).tolist()


def find(rows: Rows, *keys: int) -> list[int]:
    column = np.array(keys, np.uint64)
    return rows.find(column + np.uint64(1000), column).tolist()


class TestBytes:
    def test_at_most_sixty_a_key_with_one_mirror_and_one_sink(self):
        assert bytes_per_key(PAIR) <= 60


class TestRing:
    def test_it_turns_and_finds_what_it_holds(self, rows):
        for lap in range(5):
            slots = add(rows, *range(10 * lap, 10 * lap + CAPACITY))
            assert find(rows, *range(10 * lap, 10 * lap + CAPACITY)) == slots
            rows.free(CAPACITY)
            assert find(rows, 10 * lap) == [-1]

    def test_a_batch_may_lie_across_the_end_of_the_ring(self, rows):
        add(rows, 1, 2, 3, 4, 5, 6)
        rows.free(5)
        slots = add(rows, 11, 12, 13, 14)
        assert slots == [6, 7, 0, 1]
        assert find(rows, 6, 11, 14) == [5, 6, 1]
        assert rows.timestamp(np.array(slots)).tolist() == [NOW + 11, NOW + 12, NOW + 13, NOW + 14]

    def test_room_and_length_add_up(self, rows):
        add(rows, 1, 2, 3)
        assert (len(rows), rows.room) == (3, CAPACITY - 3)

    def test_a_slot_that_is_used_again_starts_empty(self, rows):
        for slot in add(rows, *range(CAPACITY)):
            rows.position[1][slot] = 9
            rows.state[slot] = 1
        rows.free(CAPACITY)
        slot = add(rows, 100)[0]
        assert (rows.position[1][slot], rows.state[slot]) == (0, 0)


class TestBlocks:
    def test_a_ring_without_rows_has_none(self):
        """Also where it stands in the middle of one."""
        rows = Rows(PAIR, CAPACITY, block_rows=4)
        assert not rows.blocks
        add(rows, 1, 2, 3)
        rows.free(3)
        assert list(rows.blocks) == rows.changed_blocks() == []
        add(rows, 4, 5)
        assert list(rows.blocks) == rows.changed_blocks() == [0, 1]


class TestFind:
    def test_keys_that_share_a_half_are_told_apart(self, rows):
        low = np.array([7], np.uint64)
        for high in (1, 2):
            rows.append(np.array([high], np.uint64), low, np.array([NOW]), low)
        assert [rows.find_one(high, 7) for high in (1, 2, 3)] == [0, 1, -1]
        assert rows.find(np.array([1], np.uint64), low).tolist() == [0]

    def test_low_halves_come_back_in_the_order_asked(self, rows):
        slots = add(rows, 3, 5, 9)
        assert rows.fingerprints_low(np.array(slots[::-1])).tolist() == [9, 5, 3]


class TestRepeat:
    def test_rows_move_to_the_front_with_all_they_hold(self, rows):
        slots = add(rows, 3, 5)
        rows.position[0][slots[1]] = 42
        moved = rows.repeat(np.array(slots))
        rows.free(2)
        assert find(rows, 3, 5) == moved.tolist()
        assert rows.position[0][moved[1]] == 42
        assert rows.timestamp_of(int(moved[1])) == NOW + 5


class TestTimestamps:
    def test_a_record_without_one_counts_as_1970(self, rows):
        slot = add(rows, 3)[0]
        rows.set_timestamp(np.array([slot]), np.array([-1]))
        assert rows.timestamp_of(slot) == 0

    def test_a_cleared_row_is_older_than_any_edge_and_empty(self, rows):
        slot = add(rows, 3)[0]
        rows.position[0][slot] = 42
        rows.clear(slot)
        assert (rows.timestamp_of(slot), int(rows.position[0][slot])) == (0, 0)
