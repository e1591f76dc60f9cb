"""A process that ends itself at a step of commit, publishing or restore changes no number."""

from __future__ import annotations

import pytest

from dupscope.store.commit import STEPS
from support import dying
from support.fault_case import Terms
from support.traffic_case import TrafficCase
from support.waiting import wait_until

TIMES = (1, 2, 5)
DIES_SECONDS = 60


def life(case: TrafficCase, step: str, nth: int) -> None:
    """One run that dies at a step, with at least a duplicate of each layer before the next."""
    planted = case.traffic.phases
    case.runs.script(dying.__file__, step, str(nth))
    run = case.runs.current.process
    wait_until(lambda: not run.running, DIES_SECONDS, f"it dies at {step}", poll=0.02)
    assert run.exit_code == -9, run.tail()
    case.traffic.wait_phases(planted + 1)
    case.cycles += 1


class TestKillPoints:
    @pytest.mark.parametrize("step", STEPS)
    def test_it_dies_at_a_step(self, make, step):
        case = make(Terms("kill -9 by itself at each step"))
        case.watch.start()
        case.traffic.start()
        if step.startswith("restore."):
            life(case, "publish.findings", 3)
        for nth in (1, 1, 1) if step.startswith("restore.") else TIMES:
            life(case, step, nth)
        case.runs.start()
        lists = case.finish()
        assert min(lists.truth.layer(layer) for layer in ("produce", "mirror", "consume")) >= case.cycles
