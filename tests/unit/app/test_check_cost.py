from __future__ import annotations

from dupscope.app.check_cost import Cost, tell
from dupscope.app.check_report import Level, Section

DAY = 86400.0


def _told(memory_bytes, **costs):
    section = Section("memory")
    tell(costs, memory_bytes, section)
    return [(line.level, line.where, line.text) for line in section.lines]


class TestTell:
    def test_what_a_window_needs_and_what_the_limit_covers(self):
        assert _told(1 << 30, payments=Cost(1240, DAY, 58)) == [
            (
                Level.WARNING,
                "payments",
                (
                    "1,240 records/s: 24 h need 6.2 GB; limit 1 GiB covers 4 h 8 min: raise limits.memory or "
                    "shorten the window"
                ),
            )
        ]

    def test_a_window_that_fits_is_well(self):
        assert _told(1 << 30, payments=Cost(100, DAY, 60)) == [
            (Level.OK, "payments", "100 records/s: 24 h need 518 MB of 1 GiB")
        ]

    def test_pipelines_share_the_limit(self):
        told = _told(1 << 30, one=Cost(150, DAY, 60), two=Cost(150, DAY, 60))

        assert [level for level, _, _ in told] == [Level.WARNING, Level.WARNING]
        assert "limit 1 GiB for all pipelines covers 16 h 34 min" in told[0][2]

    def test_without_a_rate_nothing_is_claimed(self):
        ((level, _, text),) = _told(1 << 30, quiet=Cost(0, DAY, 60))

        assert level is Level.NOTE
        assert text == "no record came while the rate was measured: the cost is unknown"
