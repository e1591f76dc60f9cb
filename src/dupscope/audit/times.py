"""Times as audit logs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MILLISECONDS = 10**11
"""As seconds this is the year 5138, as milliseconds 1973: the number itself says which is meant."""
_LAST_MILLISECONDS = 10**14


def to_milliseconds(written: str | float) -> int:
    """Milliseconds since 1970, rounded down. Raises ValueError.

    Takes RFC 3339 with an offset or Z (a time without one is ambiguous), seconds since 1970 as an integer or
    with a fraction, and milliseconds since 1970.
    """
    if isinstance(written, str):
        moment = datetime.fromisoformat(written.upper())
        if moment.tzinfo is None:
            raise ValueError("a time without an offset")
        milliseconds = (moment - _EPOCH) // _MILLISECOND
    elif abs(written) < _FIRST_MILLISECONDS:
        milliseconds = round(written * 1_000_000) // 1_000
    else:
        milliseconds = int(written)
    if not 0 < milliseconds < _LAST_MILLISECONDS:
        raise ValueError("an implausible time")
    return milliseconds
