from __future__ import annotations

from dupscope.audit.source import Lines


class TestLines:
    def test_a_source_that_knows_no_places_tells_none(self):
        assert Lines([b"a"]).place(0) == ""

    def test_nothing_is_known_to_be_complete_or_lost_unless_it_is_said(self):
        lines = Lines([])
        assert (lines.at_end, lines.held_ms, lines.lost) == (False, None, 0)
