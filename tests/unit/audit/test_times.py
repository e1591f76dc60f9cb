from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dupscope.audit.times import to_milliseconds


class TestToMilliseconds:
    """A time says by itself how it is written."""

    @pytest.mark.parametrize(
        ("written", "milliseconds"),
        [
            ("2026-11-23T10:00:00Z", 1_795_428_000_000),
            ("2026-11-23t10:00:00z", 1_795_428_000_000),
            ("2026-11-23 10:00:00+00:00", 1_795_428_000_000),
            ("2026-11-23T11:30:00+01:30", 1_795_428_000_000),
            ("2026-11-23T10:00:00.1Z", 1_795_428_000_100),
            ("2026-11-23T10:00:00.123456Z", 1_795_428_000_123),
            ("2026-11-23T10:00:00.123999999Z", 1_795_428_000_123),
            (1_795_428_000, 1_795_428_000_000),
            (1_795_428_000.123, 1_795_428_000_123),
            (1_795_428_000.9999, 1_795_428_000_999),
            (1_795_428_000_123, 1_795_428_000_123),
            (1_795_428_000_123.0, 1_795_428_000_123),
            (1_795_428_000_123_456, 1_795_428_000_123),
            (1_795_428_000_123_999_999, 1_795_428_000_123),
            ("1795428000", 1_795_428_000_000),
            ("1795428000.123", 1_795_428_000_123),
            ("1795428000123", 1_795_428_000_123),
            ("2026-11-23T10:00:00.123+0000", 1_795_428_000_123),
            ("2026-11-23T10:00:00,123Z", 1_795_428_000_123),
            ("20261123T100000Z", 1_795_428_000_000),
        ],
    )
    def test_understood(self, written: str | float, milliseconds: int) -> None:
        assert to_milliseconds(written) == milliseconds

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "soon",
            "-1795428000",
            "1795428000 s",
            "1e9",
            "100000000000000000000",
            "2026-11-23",
            "2026-11-23T10:00:00",
            "2026-13-23T10:00:00Z",
            "1969-12-31T23:59:59Z",
            0,
            -1,
            -1e300,
            10**20,
            1e300,
            float("inf"),
        ],
    )
    def test_refused(self, written: str | float) -> None:
        with pytest.raises(ValueError, match=r".*"):
            to_milliseconds(written)

    @given(
        st.integers(1, 4 * 10**12).map(
            lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
        ),
        st.integers(-12 * 60, 12 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
    def test_every_offset_means_the_same_moment(self, moment: datetime, zone: timezone) -> None:
        expected = round(moment.timestamp() * 1000)
        assert to_milliseconds(moment.astimezone(zone).isoformat()) == expected
