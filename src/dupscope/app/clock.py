"""The wall clock as the ledger should see it: a sudden jump counts only once it has lasted."""

from __future__ import annotations

import time
from collections.abc import Callable

SLEW_SECONDS = 1.0
"""Smaller differences are taken over at once: that is how clocks are disciplined."""

LASTING_SECONDS = 300.0
"""A jump that has lasted this long, or as long as it is wide, is the truth."""


class SteadyClock:
    """Milliseconds since 1970, by the wall clock, without its short-lived jumps.

    The ledger forgets by the time at which a log was read to its end, and that never goes back: a jump of an
    hour for a second would make everything of the next hour too late. A machine that slept finds its
    monotonic clock behind the wall clock, as after a jump: the same rule holds.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._jumped_at: float | None = None

    def now_ms(self) -> int:
        """The present time."""
        now = self._monotonic()
        ahead = self._wall() - now - self._offset
        if abs(ahead) < SLEW_SECONDS or self._has_lasted(now, abs(ahead)):
            self._offset += ahead
            self._jumped_at = None
        return int((now + self._offset) * 1000)

    def _has_lasted(self, now: float, width: float) -> bool:
        if self._jumped_at is None:
            self._jumped_at = now
        return now - self._jumped_at >= min(width, LASTING_SECONDS)
