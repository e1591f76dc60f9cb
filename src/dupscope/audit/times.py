"""Times as audit logs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,12})?")
_UNITS = ((10**14, 1), (10**17, 1_000), (10**20, 1_000_000))
"""Whole numbers below each bound are milli-, micro- and nanoseconds; so many in a millisecond."""
_FIRST_MILLISECONDS = 10**11
"""As seconds this is the year 5138, as milliseconds 1973: the number itself says which is meant."""
_LAST_MILLISECONDS = 10**14


def to_milliseconds(written: str | float) -> int:
    """Milliseconds since 1970, rounded down. Raises ValueError.

    Takes ISO 8601 with an offset or Z (a time without one is ambiguous), and seconds, milli-, micro- or
    nanoseconds since 1970, as a number or as its text.
    """
    milliseconds = _of_text(written) if isinstance(written, str) else _of_number(written)
    if not 0 < milliseconds < _LAST_MILLISECONDS:
        raise ValueError("an implausible time")
    return milliseconds


def _of_text(written: str) -> int:
    if _NUMBER.fullmatch(written):
        return _of_number(float(written) if "." in written else int(written))
    moment = datetime.fromisoformat(written.upper().replace(",", "."))
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return (moment - _EPOCH) // _MILLISECOND


def _of_number(written: float) -> int:
    if abs(written) < _FIRST_MILLISECONDS:
        return round(written * 1_000_000) // 1_000
    for bound, in_millisecond in _UNITS:
        if abs(written) < bound:
            return int(written) // in_millisecond
    raise ValueError("an implausible time")
