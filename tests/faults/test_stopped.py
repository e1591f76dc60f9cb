"""A process that stands still for a while, and a wall clock that jumps."""

from __future__ import annotations

import signal
import threading

import pytest

from support.dupscope_process import total
from support.fault_case import Terms, soaking
from support.moved_clock import MovedClock
from support.waiting import wait_until

MARGIN_SECONDS, STOPPED_SECONDS = (45, 90) if soaking() else (2, 4)
"""Twice a margin: what is read afterwards is older than the margin allows for."""


class TestStopped:
    @pytest.mark.timeout(400)
    def test_stopped_for_longer_than_the_margin(self, make):
        """SIGSTOP while traffic flows. The pause is the fault itself."""
        case = make(
            Terms("SIGSTOP for two margins", settings={"margin": f"{MARGIN_SECONDS}s", "window": "1h"})
        )
        case.runs.start()
        case.watch.start()
        case.traffic.start()
        for _ in range(2):
            case.look(5)
            case.traffic.phase()
            case.runs.current.process.send(signal.SIGSTOP)
            threading.Event().wait(STOPPED_SECONDS)
            case.traffic.phase()
            case.runs.current.process.send(signal.SIGCONT)
            case.look(5)
            case.cycles += 1
        case.finish()


class TestMovedClock:
    @pytest.mark.parametrize("seconds", [240, 3_600, -240, -86_400])
    def test_a_clock_that_jumps_and_jumps_back(self, make, seconds):
        case = make(Terms("wall clock moved and moved back"))
        clock = MovedClock(case)
        case.watch.start()
        case.traffic.start()
        case.look(5)
        for offset in (seconds, 0, seconds, 0):
            case.traffic.phase()
            clock.step(offset)
            case.look(15)
            case.traffic.phase()
            case.cycles += 1
        case.finish()

    def test_a_start_under_a_clock_an_hour_ahead_costs_verdicts_and_makes_none(self, make):
        """A program that knows no other time: what is too old by its clock is unjudged, and counted."""
        case = make(Terms("started while the clock was an hour ahead", allowed=("unverified_total",)))
        clock = MovedClock(case, 3_600)
        case.watch.start()
        case.traffic.start()
        case.look(5)
        clock.step(0)
        wait_until(lambda: total(case.watch.last, "unverified_total"), 60, "something is too old")
        case.traffic.phase()
        case.cycles += 1
        case.finish_degraded()
