"""A bound on how fast a tail reads."""

from __future__ import annotations

import math

from dupscope.kafka.clock import Clock


class RecordBudget:
    """A token bucket of records: at most `per_second` over time, one second's worth at once.

    A clock that stands still gives nothing; the client's clock never goes back.
    """

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(per_second)
        self._filled_at = clock.monotonic()

    def available(self) -> int:
        """Records that may be read now."""
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(self._tokens + gained, float(self._per_second))
        self._filled_at = now
        return max(math.floor(self._tokens), 0)

    def spend(self, records: int) -> None:
        """Take what was read out of the budget."""
        self._tokens -= records

    def wait_seconds(self) -> float:
        """Time until one record may be read."""
        return max(0.0, (1.0 - self._tokens) / self._per_second)
