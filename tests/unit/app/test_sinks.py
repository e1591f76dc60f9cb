from __future__ import annotations

from collections.abc import Callable

import pytest

from dupscope.app.sinks import LOOK_SECONDS, MOST_PARTITIONS, SinkWatch
from dupscope.audit.reasons import InvalidLineError
from dupscope.model.position import Partition, PartitionTable


class Clock:
    """Clusters of which only the clock is asked."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock


def nothing(_log: int) -> None:
    """No topic appears."""


@pytest.fixture
def table() -> PartitionTable:
    table = PartitionTable()
    table.slot(Partition(0, "c0", "id-0", "payments", "payments", 0))
    for number in range(2):
        table.slot(Partition(1, "c1", "id-1", "primary.payments", "payments", number))
    return table


@pytest.fixture
def settings(offline):
    """A sink that fails over: it reads the mirror and the source."""
    sink = {"reads": ["source", "to-dr"], "audit": {"file": str(offline.audit)}}
    return offline.config(sinks={"charger": sink}).pipelines["payments"]


class TestResolve:
    @pytest.mark.parametrize(
        ("place", "slot"),
        [
            (("primary", "payments", 0), 0),
            (("dr", "primary.payments", 1), 2),
            ((None, "primary.payments", 0), 1),
            (("primary", "primary.payments", 0), None),
            (("dr", "refunds", 0), None),
            (("elsewhere", "payments", 0), None),
        ],
    )
    def test_known_partitions(self, settings, table, place, slot):
        """A position is found in the logs that the sink reads, with or without the cluster's name."""
        found = SinkWatch(settings, 0, table, Clock(), nothing).resolve(*place)
        assert found == (None if slot is None else (slot, "payments"))

    def test_a_topic_of_several_clusters_without_the_clusters_name(self, offline, table):
        """It is not guessed which one is meant."""
        source = [{"cluster": name, "topics": ["payments"]} for name in ("primary", "dr")]
        sinks = {"charger": {"reads": ["source"], "audit": {"file": str(offline.audit)}}}
        settings = offline.config(source=source, mirrors={}, sinks=sinks).pipelines["payments"]
        slot = table.slot(Partition(1, "c1", "id-7", "payments", "payments", 0))
        watch = SinkWatch(settings, 0, table, Clock(), nothing)
        assert watch.resolve("dr", "payments", 0) == (slot, "payments")
        with pytest.raises(InvalidLineError, match="ambiguous_cluster"):
            watch.resolve(None, "payments", 0)

    def test_partition_that_was_added(self, settings, table):
        """A partition that is not known yet gets a slot of the same topic; a made-up number gets none."""
        watch = SinkWatch(settings, 0, table, Clock(), nothing)
        slot, logical = watch.resolve("dr", "primary.payments", 7)
        assert (slot, logical) == (3, "payments")
        assert table[slot] == Partition(1, "c1", "id-1", "primary.payments", "payments", 7)
        assert watch.resolve("dr", "primary.payments", MOST_PARTITIONS) is None
        assert len(table) == 4

    def test_topic_that_a_pattern_will_find(self, offline, table, manual_clock):
        """A sink can be quicker than the tails: the log is asked at once, and then once in a while."""
        mirrors = {"to-dr": {"cluster": "dr", "topics": [r"^primary\.pay.*"]}}
        settings = offline.config(mirrors=mirrors).pipelines["payments"]
        asked = []

        def discover(log: int) -> None:
            asked.append(log)
            table.slot(Partition(1, "c1", "id-9", "primary.payouts", "payouts", 0))

        watch = SinkWatch(settings, 0, table, Clock(), discover)
        assert watch.resolve("dr", "primary.payouts", 0) is None
        assert asked == []
        source = {"cluster": "primary", "topics": ["^pay.*"]}
        settings = offline.config(mirrors=mirrors, source=source).pipelines["payments"]
        watch = SinkWatch(settings, 0, table, Clock(manual_clock), discover)
        assert watch.resolve("dr", "primary.payouts", 0) == (3, "payouts")
        assert watch.resolve("dr", "primary.paying", 0) is None
        assert asked == [1]
        manual_clock.now += LOOK_SECONDS
        assert watch.resolve("dr", "primary.paying", 0) is None
        assert asked == [1, 1]
