from __future__ import annotations

import pytest

from dupscope.app.clock import LASTING_SECONDS, SteadyClock
from support.clock import ManualClock

START = 1_800_000_000.0


class Times:
    """A wall clock and a monotonic one that pass together, until the former jumps."""

    def __init__(self) -> None:
        self.monotonic = ManualClock()
        self.ahead = START - self.monotonic.now
        self.clock = SteadyClock(lambda: self.monotonic.now + self.ahead, self.monotonic)

    def pass_seconds(self, seconds: float) -> None:
        self.monotonic.now += seconds

    @property
    def seconds(self) -> float:
        """By the clock, since the start."""
        return self.clock.now_ms() / 1000 - START


@pytest.fixture
def times() -> Times:
    return Times()


class TestSteadyClock:
    def test_is_the_wall_clock(self, times: Times):
        """While nothing jumps, and where the wall clock is corrected a little."""
        times.pass_seconds(5)
        assert times.seconds == 5
        times.ahead += 0.5
        assert times.seconds == 5.5

    def test_short_jump(self, times: Times):
        """A jump that is taken back before it lasted was none."""
        times.ahead += 3600
        assert times.seconds == 0
        times.pass_seconds(LASTING_SECONDS - 1)
        assert times.seconds == LASTING_SECONDS - 1
        times.ahead -= 3600
        assert times.seconds == LASTING_SECONDS - 1

    @pytest.mark.parametrize("jump", [3600, -3600])
    def test_lasting_jump(self, times: Times, jump: float):
        """What has lasted five minutes is the truth."""
        times.ahead += jump
        assert times.seconds == 0
        times.pass_seconds(LASTING_SECONDS)
        assert times.seconds == LASTING_SECONDS + jump

    def test_small_jump(self, times: Times):
        """One of ten seconds is believed after ten seconds."""
        times.ahead += 10
        assert times.seconds == 0
        times.pass_seconds(10)
        assert times.seconds == 20

    def test_two_jumps(self, times: Times):
        """A second jump does not inherit the first one's time."""
        times.ahead += 3600
        assert times.seconds == 0
        times.pass_seconds(200)
        times.ahead -= 3600
        assert times.seconds == 200
        times.ahead += 3600
        times.pass_seconds(200)
        assert times.seconds == 400
