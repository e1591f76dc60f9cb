from __future__ import annotations

from dupscope.ledger.outcome import Outcome


class TestOutcome:
    def test_two_outcomes_share_nothing(self):
        Outcome().missing["dr"] += 1
        assert Outcome().missing == {}
