from __future__ import annotations

import numpy as np

from dupscope.kafka.progress import Progress


def progress(*offsets: int) -> Progress:
    made = Progress()
    for slot, offset in enumerate(offsets):
        made.begin(slot, offset)
    return made


def read(made: Progress, *records: tuple[int, int]) -> None:
    slots, offsets = zip(*records, strict=True)
    made.records(np.array(slots), np.array(offsets))


class TestPositions:
    def test_they_begin_where_reading_begins(self):
        assert progress(5, 0).positions == {0: 5, 1: 0}

    def test_they_follow_the_last_record_of_each_slot(self):
        made = progress(0, 0)
        read(made, (0, 0), (1, 7), (0, 3), (1, 8))
        assert made.positions == {0: 4, 1: 9}

    def test_an_end_behind_transaction_markers_moves_them(self):
        made = progress(0)
        read(made, (0, 3))
        made.end(0, 6)
        assert made.positions == {0: 6}

    def test_the_clients_position_moves_them_up_only(self):
        made = progress(5)
        made.client_position(0, -1001)
        made.client_position(0, 3)
        assert made.positions == {0: 5}
        made.client_position(0, 8)
        assert made.position(0) == 8

    def test_beginning_anew_moves_them_back(self):
        made = progress(100)
        made.begin(0, 20)
        assert made.positions == {0: 20}
        assert made.at_end == set()

    def test_slots_need_not_be_consecutive(self):
        made = Progress()
        made.begin(7, 3)
        made.begin(2, 1)
        read(made, (2, 1))
        assert made.positions == {7: 3, 2: 2}
        assert made.at_end == set()


class TestAtEnd:
    def test_an_empty_partition_is_at_its_end_once_that_was_met(self):
        made = progress(0, 0)
        assert made.at_end == set()
        made.end(1, 0)
        assert made.at_end == {1}
        assert not made.all_at_end

    def test_a_record_after_the_end_leaves_it(self):
        made = progress(0)
        read(made, (0, 0))
        made.end(0, 1)
        assert made.all_at_end
        read(made, (0, 1))
        assert made.at_end == set()

    def test_an_end_that_lies_before_the_last_record_does_not_count(self):
        made = progress(0)
        read(made, (0, 0), (0, 1))
        made.end(0, 1)
        assert made.at_end == set()

    def test_a_position_moved_by_markers_does_not_leave_it(self):
        made = progress(0)
        made.end(0, 3)
        made.client_position(0, 5)
        assert made.at_end == {0}
