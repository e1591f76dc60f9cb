from __future__ import annotations

from dupscope.forensics.comparison import WHY, Comparison, LeftOut, Missing
from dupscope.model.layer import Layer
from dupscope.model.position import Position

MISSING = Missing("id", Layer.MIRROR, "to-dr", Position("c", "t", "payments", 0, 1), None)


class TestComparison:
    def test_what_is_expected_is_found_or_missing(self):
        assert Comparison(expected=5, missing=[MISSING]).found == 4

    def test_it_is_equal_without_differences(self):
        assert Comparison(expected=5).is_equal
        assert not Comparison(expected=5, missing=[MISSING]).is_equal


class TestLeftOut:
    def test_every_reason_is_told_in_words(self):
        assert set(WHY) == set(LeftOut)
