"""Times and durations as text."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def utc(seconds: float) -> datetime | None:
    """An instant given in seconds since 1970; None where a log's timestamp is no date."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def iso(seconds: float) -> str | None:
    """ISO 8601 to the millisecond, as in 2026-11-23T10:00:00.250Z; None where it is no date."""
    instant = utc(seconds)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z") if instant else None


def readable(seconds: float) -> str:
    """An instant for a person, to the second."""
    instant = utc(seconds)
    return instant.strftime("%Y-%m-%d %H:%M:%S") if instant else "no date"


def duration(seconds: float) -> str:
    """A duration for a person: its two largest units, as in 3 h 20 min; 0.25 s below a second."""
    if seconds < 1:
        return f"{max(seconds, 0):.2g} s"
    parts, rest = [], int(seconds)
    for size, name in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
