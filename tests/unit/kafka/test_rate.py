from __future__ import annotations

from dupscope.kafka.rate import RecordBudget


class TestRecordBudget:
    def test_it_begins_with_one_seconds_worth(self, clock):
        assert RecordBudget(50, clock).available() == 50

    def test_what_was_spent_comes_back_with_time(self, clock):
        budget = RecordBudget(50, clock)
        budget.spend(50)
        assert budget.available() == 0
        clock.sleep(0.5)
        assert budget.available() == 25

    def test_it_never_holds_more_than_one_seconds_worth(self, clock):
        budget = RecordBudget(50, clock)
        clock.sleep(3600)
        assert budget.available() == 50

    def test_over_time_it_gives_the_rate(self, clock):
        budget, spent = RecordBudget(7, clock), 0
        for _ in range(1000):
            available = budget.available()
            budget.spend(available)
            spent += available
            clock.sleep(0.1)
        assert 7 * 100 - 1 <= spent <= 7 * 101

    def test_it_tells_how_long_to_wait_for_one_record(self, clock):
        budget = RecordBudget(50, clock)
        assert budget.wait_seconds() == 0
        budget.spend(50)
        clock.sleep(budget.wait_seconds() + 1e-9)
        assert budget.available() == 1
