"""The suite's own parts agree while nothing fails: traffic, oracle, watch and program."""

from __future__ import annotations

from support.fault_case import Terms


class TestNoFault:
    def test_one_run_shows_what_was_planted(self, make):
        case = make(Terms("no fault"))
        case.runs.start()
        case.watch.start()
        case.traffic.start()
        case.traffic.wait_phases(60)
        lists = case.finish()
        assert min(lists.truth.layer(layer) for layer in ("produce", "mirror", "consume")) >= 60
        assert case.runs.logged_again() == 0
