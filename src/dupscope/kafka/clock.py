"""The clocks that the room reads, handed in so that a test can hold them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` in seconds, for rates and waits; `now_ms` since 1970, to compare with timestamps."""

    monotonic: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = _now_ms
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()
