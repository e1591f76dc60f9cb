from __future__ import annotations

from dupscope.app.check_cost import Cost, tell
from dupscope.app.check_report import Level, Section
from dupscope.app.limits import Shares
from dupscope.config.settings import Limits

DAY = 86400.0
GIB = 1 << 30


def _told(limits, share=None, **costs):
    section = Section("limits")
    tell(costs, limits, share or Shares(limits.memory_bytes, 16 << 20, 200_000), section)
    return [(line.level, line.where, line.text) for line in section.lines]


class TestTell:
    def test_what_a_window_needs_and_what_the_limit_covers(self):
        assert _told(Limits(GIB, 4 * GIB, None), payments=Cost(1240, DAY, 60)) == [
            (
                Level.WARNING,
                "payments",
                (
                    "1,240 records/s: 24 h need 8.6 GB; limit 1 GiB covers 3 h: raise limits.memory or "
                    "shorten the window"
                ),
            ),
            (Level.OK, "disk", "state.path takes up to 2.6 GB of 4 GiB"),
            (Level.OK, "restart", "13,421,773 keys are read again in 7 s, ready after that"),
        ]

    def test_a_window_that_fits_is_well(self):
        assert _told(Limits(GIB, 4 * GIB, None), payments=Cost(100, DAY, 60)) == [
            (Level.OK, "payments", "100 records/s: 24 h need 691 MB of 1 GiB"),
            (Level.OK, "disk", "state.path takes up to 1.8 GB of 4 GiB"),
            (Level.OK, "restart", "8,640,000 keys are read again in 4 s, ready after that"),
        ]

    def test_a_disk_that_holds_less_than_the_memory_is_told(self):
        limits = Limits(16 * GIB, 4 * GIB, None)

        told = _told(limits, Shares(2 * GIB, 16 << 20, 200_000), payments=Cost(1240, DAY, 60))

        assert told == [
            (Level.OK, "payments", "1,240 records/s: 24 h need 8.6 GB of 16 GiB"),
            (
                Level.WARNING,
                "disk",
                "state.path takes up to 19.5 GB; limit 4 GiB has room for 25% of the keys: raise limits.disk",
            ),
            (Level.OK, "restart", "26,843,546 keys are read again in 13 s, ready after that"),
        ]

    def test_pipelines_share_the_limit(self):
        told = _told(Limits(GIB, 4 * GIB, None), one=Cost(150, DAY, 60), two=Cost(150, DAY, 60))

        assert [level for level, _, _ in told] == [Level.WARNING, Level.WARNING, Level.OK, Level.OK]
        assert "limit 1 GiB for all pipelines covers 12 h 25 min" in told[0][2]

    def test_without_a_rate_nothing_is_claimed(self):
        ((level, _, text),) = _told(Limits(GIB, 4 * GIB, None), quiet=Cost(0, DAY, 60))

        assert level is Level.NOTE
        assert text == "no record came while the rate was measured: the cost is unknown"
