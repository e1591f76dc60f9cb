"""The table of scenarios."""

from __future__ import annotations

import pytest

from support.verification import SCENARIOS, Row, add, render, split

ROW = Row(
    "main job",
    {"source": 20_000, "to-dr": 33_000},
    {"produce": 606, "mirror": 13_003, "consume": 297},
    {"produce": 606, "mirror": 13_003, "consume": 297},
    {},
    1_250,
    "4.3.1",
)


class TestTable:
    def test_a_row_has_counts_by_stage_layer_and_reason(self):
        line = render([ROW]).splitlines()[-1]
        assert line == (
            "| main job | source 20,000, to-dr 33,000 | 606 / 13,003 / 297 | 606 / 13,003 / 297"
            " | none | 1,250 | 4.3.1 |"
        )

    def test_a_scenario_that_the_table_does_not_wait_for_is_an_error(self):
        unknown = Row("no such scenario", {}, ROW.planted, ROW.reported, {}, 1, "4.3.1")
        with pytest.raises(AssertionError, match="no such scenario"):
            add(unknown)

    def test_scenarios_are_named_once(self):
        assert len(SCENARIOS) == len(set(SCENARIOS))


class TestSplit:
    def test_the_two_tables_of_the_file_are_told_apart(self):
        scenarios, faults = split("# Verification\n\n| a |\n\n## Faults\n\n| b |\n")
        assert scenarios == "# Verification\n\n| a |\n"
        assert faults == "\n## Faults\n\n| b |\n"

    def test_a_file_without_faults_is_left_as_it_is(self):
        assert split("# Verification\n\n| a |\n") == ("# Verification\n\n| a |\n", "")
