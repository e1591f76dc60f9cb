"""kill -9 at random moments, as often as one likes, while traffic flows."""

from __future__ import annotations

import random
import threading

from support.fault_case import FaultCase
from support.traffic_case import TrafficCase

LEAST_SECONDS, MOST_SECONDS = 0.05, 2.0
FROM_START = 0.15
"""The share of kills that are counted from the start of the process: many of those come before it listens."""


def kill_loop(case: TrafficCase, count: int, seed: int) -> None:
    """Start and kill `count` times; then one run more, which is left alive. Traffic must be flowing.

    Between any two kills at least one duplicate of each layer is planted.
    """
    draw = random.Random(seed)
    for _ in range(count):
        planted = case.traffic.phases
        kill(case, draw)
        case.traffic.wait_phases(planted + 1)
    case.runs.start()


def kill(case: FaultCase, draw: random.Random) -> None:
    """Start a run and kill it after 50 to 2,000 ms.

    The moment is drawn and waited for: that pause is the fault itself and synchronises nothing.
    """
    case.runs.start()
    if draw.random() >= FROM_START:
        case.runs.wait_listening()
    threading.Event().wait(draw.uniform(LEAST_SECONDS, MOST_SECONDS))
    case.runs.current.process.assert_running()
    case.runs.current.process.kill()
    case.cycles += 1
    if case.watch.problems:
        raise AssertionError(f"after {case.cycles} kills: {case.watch.problems}")
