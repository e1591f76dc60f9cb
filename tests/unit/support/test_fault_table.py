"""The table of faults."""

from __future__ import annotations

import pytest

from dupscope.store.commit import STEPS
from support.fault_table import CASES, Row, add, render, together

LAYERS = {"produce": 10, "mirror": 2_000, "consume": 3}
ROW = Row("a fault", "mock", 50, 9_000, LAYERS, LAYERS, 0, 0, 81.4)


class TestTable:
    def test_a_row_has_what_was_planted_and_reported(self):
        line = render([ROW]).splitlines()[-1]
        assert line == "| a fault | mock | 50 | 9,000 | 10 / 2,000 / 3 | 10 / 2,000 / 3 | 0 | 0 | 81 |"

    def test_cases_of_one_row_are_added_up(self):
        both = together([ROW, ROW])
        assert (both.cycles, both.records, both.planted["mirror"], both.seconds) == (
            100,
            18_000,
            4_000,
            162.8,
        )

    def test_a_case_that_the_table_does_not_wait_for_is_an_error(self):
        with pytest.raises(AssertionError, match="a fault"):
            add(ROW)

    def test_it_waits_for_all_steps(self):
        assert CASES["kill -9 by itself at each step", "mock"] == len(STEPS)
