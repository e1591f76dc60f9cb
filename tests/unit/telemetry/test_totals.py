from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.telemetry.catalogue import BY_NAME
from dupscope.telemetry.shape import TailShape
from dupscope.telemetry.totals import OVERFLOW, Totals

GAP = ("payments", "mirror", "to-dr")


@pytest.fixture
def totals(shape):
    totals = Totals(topic_budget=2)
    totals.declare(shape)
    return totals


class TestTotals:
    """Counters rise, gauges are set, histograms observe; anything else is a defect of the caller."""

    def test_declared_series_exist_at_zero(self, totals):
        """What nothing has fed yet is 0, not absent."""
        values = totals.freeze().values["duplicates_total"]
        assert {0.0} == set(values.values())
        assert len(values) == 5

    def test_unknown_coverage_is_absent(self, totals):
        """A coverage start of 0 would claim the whole log, so there is none until it is known."""
        assert totals.freeze().values["coverage_start_timestamp_seconds"] == {}

    def test_declaring_again_keeps_values(self, totals, shape):
        """A grown pipeline gets its new series at 0, and nothing else changes."""
        totals.add("records_total", ("payments", "source", "payments"), 7)
        totals.declare(replace(shape, topics=("payments", "refunds")))
        snapshot = totals.freeze()
        assert snapshot.value("records_total", "payments", "source", "payments") == 7
        assert snapshot.values["records_total"]["payments", "source", "refunds"] == 0

    def test_snapshot_does_not_change(self, totals):
        """What comes after a snapshot is not in it."""
        before = totals.freeze()
        totals.add("missing_total", ("payments", "mirror", "to-dr"))
        totals.observe("duplicate_gap_seconds", GAP, 1)
        assert before.sum("missing_total") == 0
        assert sum(before.histograms["duplicate_gap_seconds"][GAP].counts) == 0
        with pytest.raises(TypeError):
            before.values["missing_total"][GAP] = 1

    def test_sum_over_chosen_labels(self, totals):
        """A snapshot sums the series that match."""
        totals.add("duplicates_total", (*GAP, "payments", "identical"), 2)
        totals.add("duplicates_total", ("payments", "produce", "source", "payments", "conflicting"), 3)
        snapshot = totals.freeze()
        assert snapshot.sum("duplicates_total") == 5
        assert snapshot.sum("duplicates_total", layer="mirror") == 2
        assert snapshot.sum("duplicates_total", kind="conflicting", pipeline="payments") == 3

    def test_counter_cannot_fall(self, totals):
        """A counter that is lowered or fed nonsense is a defect."""
        for amount in (-1, float("nan")):
            with pytest.raises(ValueError, match="missing_total: a counter cannot change by"):
                totals.add("missing_total", GAP, amount)

    def test_unknown_name_or_kind(self, totals):
        """Only what the catalogue names can be fed, and only as what it is."""
        with pytest.raises(ValueError, match="'dups_total' is no counter"):
            totals.add("dups_total", GAP)
        with pytest.raises(ValueError, match="'missing_total' is no gauge"):
            totals.set("missing_total", GAP, 1)

    def test_wrong_labels(self, totals):
        """Labels come in the catalogue's number and order."""
        with pytest.raises(ValueError, match=r"suspects: labels are \('pipeline', 'layer', 'stage'\)"):
            totals.set("suspects", ("payments", "to-dr"), 1)


class TestHistogram:
    """An observation counts in the first bucket whose edge it does not exceed."""

    def test_edges_are_inclusive(self, totals):
        """`le` means less or equal."""
        edges = BY_NAME["duplicate_gap_seconds"].buckets
        totals.observe_many("duplicate_gap_seconds", GAP, [edges[0], edges[0] * 1.01, edges[-1] + 1])
        counts = totals.freeze().histograms["duplicate_gap_seconds"][GAP].counts
        assert counts[:2] == (1, 1)
        assert counts[-1] == 1
        assert sum(counts) == 3

    def test_negative_counts_as_zero(self, totals):
        """Two clocks that disagree must not lower the sum."""
        totals.observe("duplicate_gap_seconds", GAP, -4.0)
        histogram = totals.freeze().histograms["duplicate_gap_seconds"][GAP]
        assert (histogram.counts[0], histogram.sum) == (1, 0.0)


class TestTopicBudget:
    """Topics beyond the budget share one series, and sums over all topics stay right."""

    def test_counters_overflow(self, totals):
        """The first topics keep their series; the sum is that of all."""
        for topic in ("payments", "a", "b", "c", "payments"):
            totals.add("records_total", ("payments", "source", topic), 10)
        snapshot = totals.freeze()
        topics = {labels[2] for labels in snapshot.values["records_total"]}
        assert {"payments", "a", OVERFLOW} == topics
        assert snapshot.value("records_total", "payments", "source", OVERFLOW) == 20
        assert snapshot.sum("records_total") == 50

    def test_budget_is_per_pipeline(self, totals):
        """One pipeline with many topics takes nothing from another."""
        for topic in ("a", "b", "c"):
            totals.add("records_total", ("payments", "source", topic))
        totals.add("records_total", ("refunds", "source", "d"))
        assert totals.freeze().value("records_total", "refunds", "source", "d") == 1

    def test_gauges_beyond_are_combined(self, totals):
        """Lags add up, a tail that is down shows, the latest record counts."""
        where = ("payments", "source", "primary")
        for topic, up, lag, last in (("x", 1, 5, 100), ("y", 0, 7, 300), ("z", 1, 1, 200), ("x", 1, 6, 100)):
            totals.set("tail_up", (*where, topic), up)
            totals.set("tail_lag_records", (*where, topic), lag)
            totals.set("tail_last_record_timestamp_seconds", (*where, topic), last)
        snapshot = totals.freeze()
        overflow = (*where, OVERFLOW)
        assert snapshot.value("tail_up", *overflow) == 0
        assert snapshot.value("tail_lag_records", *overflow) == 6 + 7 + 1
        assert snapshot.value("tail_last_record_timestamp_seconds", *overflow) == 300

    def test_declared_topics_beyond(self, shape):
        """A pipeline with more topics than the budget has one overflow series from the start."""
        many = tuple(f"t{number}" for number in range(300))
        tails = tuple(TailShape("source", "primary", topic) for topic in many)
        totals = Totals()
        totals.declare(replace(shape, topics=many, tails=tails))
        snapshot = totals.freeze()
        assert len(snapshot.values["records_total"]) == 2 * 201
        assert len(snapshot.values["tail_up"]) == 201


RECORDS = ("payments", "source", "payments")


class TestStored:
    """What is stored goes on after a restart: counters, histograms and the gauges that survive."""

    def test_goes_on(self, totals, shape):
        """From what changed, taken over by a process that knows nothing yet."""
        totals.add("records_total", RECORDS, 7)
        totals.observe_many("duplicate_gap_seconds", GAP, [0.1, 61])
        totals.set("last_duplicate_timestamp_seconds", GAP, 5.0)
        again = Totals()
        again.declare(shape)
        again.restore(totals.changed())
        again.add("records_total", RECORDS, 2)
        snapshot = again.freeze()
        assert snapshot.value("records_total", *RECORDS) == 9
        assert snapshot.value("last_duplicate_timestamp_seconds", *GAP) == 5.0
        assert (
            snapshot.histograms["duplicate_gap_seconds"]
            == totals.freeze().histograms["duplicate_gap_seconds"]
        )

    def test_everything_is_enough(self, totals):
        """A checkpoint holds all that the changes before it said."""
        totals.add("records_total", RECORDS, 7)
        totals.settle()
        again = Totals()
        again.restore(totals.everything())
        assert again.value("records_total", RECORDS) == 7

    def test_only_what_changed(self, totals):
        """Since it was stored last; a value that stays, or one that is not stored, is no change."""
        totals.add("records_total", RECORDS, 0)
        totals.set("index_keys", ("payments",), 5)
        assert not totals.has_changed
        totals.set("last_duplicate_timestamp_seconds", GAP, 5.0)
        assert totals.changed() == [["last_duplicate_timestamp_seconds", list(GAP), 5.0]]
        totals.settle()
        totals.set("last_duplicate_timestamp_seconds", GAP, 5.0)
        assert (totals.has_changed, totals.changed()) == (False, [])

    def test_what_waits_stays(self, totals):
        """What could not be stored comes again, as it is then."""
        totals.add("records_total", RECORDS, 1)
        totals.changed()
        totals.add("records_total", RECORDS, 1)
        assert totals.changed() == [["records_total", list(RECORDS), 2.0]]

    def test_later_ones_instead_of_earlier(self, totals):
        """As a journal tells them, each with its whole value."""
        totals.restore(["records_total", list(RECORDS), value] for value in (3.0, 8.0, 9.0))
        assert totals.value("records_total", RECORDS) == 9

    def test_restart(self, totals):
        """Counters and histograms of one pipeline begin at 0 again, and are stored so."""
        mine, other = ("payments", "source", "payments"), ("orders", "source", "orders")
        totals.add("records_total", mine, 3)
        totals.add("records_total", other, 4)
        totals.observe("duplicate_gap_seconds", GAP, 7)
        totals.settle()
        totals.restart("payments", ("records_total", "duplicate_gap_seconds"))
        assert totals.value("records_total", mine) == 0
        assert totals.value("records_total", other) == 4
        assert totals.freeze().histograms["duplicate_gap_seconds"][GAP].sum == 0
        assert ["records_total", list(mine), 0] in totals.changed()

    @pytest.mark.parametrize(
        "stored",
        [
            ["once_total", list(RECORDS), 3.0],
            ["records_total", ["payments"], 3.0],
            ["index_keys", ["payments"], 3.0],
            ["duplicate_gap_seconds", list(GAP), [[1, 2], 3.0]],
        ],
        ids=["no metric", "other labels", "not stored", "other buckets"],
    )
    def test_of_another_catalogue(self, totals, stored):
        """What this version does not have, or has otherwise, is left out."""
        before = totals.freeze()
        totals.restore([stored])
        after = totals.freeze()
        assert (after.values, after.histograms) == (before.values, before.histograms)

    def test_topics_beyond_the_budget(self, totals):
        """They are still beyond it after a restart: no sum changes and no counter falls."""
        for topic in ("payments", "a", "b", "c"):
            totals.add("records_total", ("payments", "source", topic), 10)
        again = Totals(topic_budget=2)
        again.restore(totals.everything())
        again.add("records_total", ("payments", "source", "c"), 1)
        snapshot = again.freeze()
        assert snapshot.value("records_total", "payments", "source", OVERFLOW) == 21
        assert snapshot.sum("records_total") == 41
