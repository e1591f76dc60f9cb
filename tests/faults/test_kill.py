"""kill -9 at any moment, again and again, changes no number."""

from __future__ import annotations

import pytest

from support.fault_case import Terms, often
from support.killing import kill_loop


class TestKill:
    @pytest.mark.timeout(0)
    def test_killed_again_and_again_at_random_moments(self, make, seed):
        case = make(Terms("kill -9 at random moments"))
        case.watch.start()
        case.traffic.start()
        kill_loop(case, often(50), seed)
        case.settle()
        case.runs.current.process.stop()
        case.runs.start()
        case.look(1)
        lists = case.finish()
        assert min(lists.truth.layer(layer) for layer in ("produce", "mirror", "consume")) >= case.cycles
