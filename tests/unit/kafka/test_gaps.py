from __future__ import annotations

import numpy as np
import pytest

from dupscope.kafka.gaps import GapFinder
from dupscope.model.batch import Gap


def finder(**begun: int) -> GapFinder:
    """Slots s0, s1 … that begin at the offsets given."""
    made = GapFinder()
    for name, offset in begun.items():
        made.begin(int(name[1:]), offset)
    return made


def read(made: GapFinder, *rows: tuple[int, int], compacted: tuple[int, ...] = (0, 1, 2)) -> list[Gap]:
    """Rows of (slot, offset); a record's timestamp is a thousand times its offset."""
    slots = np.array([row[0] for row in rows], np.int64)
    offsets = np.array([row[1] for row in rows], np.int64)
    return made.records(slots, offsets, offsets * 1000, set(compacted))


class TestGapFinder:
    def test_records_that_follow_each_other_leave_none(self):
        assert read(finder(s0=0), (0, 0), (0, 1), (0, 2)) == []

    def test_a_span_without_a_record_is_told_with_its_neighbours_times(self):
        assert read(finder(s0=0), (0, 0), (0, 4), (0, 5), (0, 9)) == [
            Gap(0, 1, 4, 0, 4000),
            Gap(0, 6, 9, 5000, 9000),
        ]

    def test_before_the_first_record_nothing_is_known(self):
        assert read(finder(s0=3), (0, 5)) == [Gap(0, 3, 5, 0, 5000)]

    def test_it_goes_on_from_read_to_read(self):
        made = finder(s0=0)
        read(made, (0, 0), (0, 1))
        assert read(made, (0, 2)) == []
        assert read(made, (0, 7)) == [Gap(0, 3, 7, 2000, 7000)]

    def test_slots_that_come_mixed_are_kept_apart(self):
        made = finder(s0=0, s2=10)
        assert read(made, (2, 10), (0, 0), (2, 12), (0, 1), (0, 3), (2, 13)) == [
            Gap(0, 2, 3, 1000, 3000),
            Gap(2, 11, 12, 10_000, 12_000),
        ]

    def test_slots_that_are_not_compacted_have_none(self):
        assert read(finder(s0=0, s1=0), (0, 5), (1, 5), compacted=(1,)) == [Gap(1, 0, 5, 0, 5000)]

    def test_one_that_becomes_compacted_is_known_from_before(self):
        made = finder(s0=0)
        assert read(made, (0, 0), (0, 3), compacted=()) == []
        assert read(made, (0, 5)) == [Gap(0, 4, 5, 3000, 5000)]

    def test_beginning_anew_forgets_what_came_before(self):
        made = finder(s0=0)
        read(made, (0, 0))
        made.begin(0, 50)
        assert read(made, (0, 50)) == []

    def test_another_goes_on_from_what_this_one_knows(self):
        made = finder(s0=0, s1=4, s2=0)
        read(made, (0, 3), (2, 1))
        positions = {0: 6, 1: 4, 2: 2}
        starts, newest = made.starts(positions), made.newest_ms(positions)
        assert (starts, newest) == ({0: 4}, {0: 3000, 2: 1000})
        other = GapFinder()
        for slot, position in positions.items():
            other.begin(slot, starts.get(slot, position), newest.get(slot, 0))
        rows = [(0, 6), (1, 4), (2, 5)]
        assert read(other, *rows) == read(made, *rows)

    def test_without_a_slot_nothing_is_known(self):
        assert (finder().starts({}), finder().newest_ms([])) == ({}, {})

    def test_no_records_no_gaps(self):
        assert read(finder(s0=0)) == []

    @pytest.mark.parametrize("portion", [1, 2, 7, 1000])
    def test_the_size_of_reads_changes_nothing(self, portion: int):
        random = np.random.default_rng(1)
        rows = [(int(slot), 3 * at) for at, slot in enumerate(random.integers(0, 3, 200))]
        whole, parts = finder(s0=0, s1=0, s2=0), finder(s0=0, s1=0, s2=0)
        found = [gap for at in range(0, len(rows), portion) for gap in read(parts, *rows[at : at + portion])]
        assert sorted(map(repr, found)) == sorted(map(repr, read(whole, *rows)))
