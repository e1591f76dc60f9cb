"""kill -9 at random moments, as often as one likes, while traffic flows."""

from __future__ import annotations

import random
import threading

from support.traffic_case import TrafficCase

LEAST_SECONDS, MOST_SECONDS = 0.05, 2.0
FROM_START = 0.15
"""The share of kills that are counted from the start of the process: many of those come before it listens."""


def kill_loop(case: TrafficCase, count: int, seed: int) -> None:
    """Start and kill `count` times; then one run more, which is left alive. Traffic must be flowing.

    The moment of a kill is drawn and waited for: that pause is the fault itself and synchronises nothing.
    """
    draw = random.Random(seed)
    pause = threading.Event()
    for _ in range(count):
        planted = case.traffic.phases
        case.runs.start()
        if draw.random() >= FROM_START:
            case.runs.wait_listening()
        pause.wait(draw.uniform(LEAST_SECONDS, MOST_SECONDS))
        case.runs.current.process.assert_running()
        case.runs.current.process.kill()
        case.traffic.wait_phases(planted + 1)
        case.cycles += 1
        if case.watch.problems:
            raise AssertionError(f"after {case.cycles} kills: {case.watch.problems}")
    case.runs.start()
