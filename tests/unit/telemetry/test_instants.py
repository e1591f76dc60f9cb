from __future__ import annotations

import pytest

from dupscope.telemetry.instants import duration, iso, readable, utc


class TestInstants:
    """Instants are UTC; a log's timestamp that is no date is no error."""

    def test_iso(self):
        """Milliseconds and a Z, so that logs sort as text."""
        assert iso(1_800_000_000.25) == "2027-01-15T08:00:00.250Z"

    def test_readable(self):
        """To the second, for a person."""
        assert readable(1_800_000_000.25) == "2027-01-15 08:00:00"

    @pytest.mark.parametrize("seconds", [1e18, -1e18, float("nan"), float("inf")])
    def test_no_date(self, seconds):
        """A producer can write any timestamp."""
        assert utc(seconds) is None
        assert iso(seconds) is None
        assert readable(seconds) == "no date"


class TestDuration:
    """A duration shows its two largest units."""

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-1, "0 s"),
            (0.0412, "0.041 s"),
            (1.9, "1 s"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (90_061, "1 d 1 h"),
        ],
    )
    def test_text(self, seconds, text):
        """Shorter units are dropped, not rounded."""
        assert text == duration(seconds)
