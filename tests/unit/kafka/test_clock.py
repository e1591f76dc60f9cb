from __future__ import annotations

import time

from dupscope.kafka.clock import SYSTEM_CLOCK


class TestSystemClock:
    def test_it_tells_milliseconds_since_1970(self):
        before = time.time() * 1000 - 1
        assert before <= SYSTEM_CLOCK.now_ms() <= time.time() * 1000 + 1

    def test_its_monotonic_seconds_do_not_fall(self):
        assert SYSTEM_CLOCK.monotonic() <= SYSTEM_CLOCK.monotonic()
