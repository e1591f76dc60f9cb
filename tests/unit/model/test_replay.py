from __future__ import annotations

import pytest

from dupscope.model.replay import Replay


class TestReplay:
    @pytest.mark.parametrize(("moment", "covered"), [(9, False), (10, True), (19, True), (20, False)])
    def test_it_begins_with_its_first_moment_and_ends_before_its_last(self, moment, covered):
        assert Replay("source", 10, 20).covers("source", moment) is covered

    def test_another_stage_is_not_concerned(self):
        assert not Replay("source", 10, 20).covers("to-dr", 15)
