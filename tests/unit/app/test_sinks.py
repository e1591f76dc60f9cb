from __future__ import annotations

from collections.abc import Callable

import pytest

from dupscope.app.sinks import MOST_PARTITIONS, POLL_SECONDS, SinkWatch
from dupscope.audit.reasons import InvalidLineError
from dupscope.model.position import Partition, PartitionTable


class Commits:
    """Clusters of which only the groups' commits are asked."""

    def __init__(self, clock: Callable[[], float], **offsets: int) -> None:
        self.clock = clock
        self.offsets = offsets
        self.asked: list[tuple[str, str]] = []

    def committed(self, cluster: str, group: str, partitions: list[tuple[str, int]]) -> dict:
        self.asked.append((cluster, group))
        return {key: self.offsets[cluster] for key in partitions if cluster in self.offsets}


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
    sink = {"reads": ["source", "to-dr"], "group": "charger", "audit": {"file": str(offline.audit)}}
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
        found = SinkWatch(settings, 0, table, Commits(lambda: 0.0), nothing).resolve(*place)
        assert found == (None if slot is None else (slot, "payments"))

    def test_a_topic_of_several_clusters_without_the_clusters_name(self, offline, table):
        """It is not guessed which one is meant."""
        source = [{"cluster": name, "topics": ["payments"]} for name in ("primary", "dr")]
        sinks = {"charger": {"reads": ["source"], "audit": {"file": str(offline.audit)}}}
        settings = offline.config(source=source, mirrors={}, sinks=sinks).pipelines["payments"]
        slot = table.slot(Partition(1, "c1", "id-7", "payments", "payments", 0))
        watch = SinkWatch(settings, 0, table, Commits(lambda: 0.0), nothing)
        assert watch.resolve("dr", "payments", 0) == (slot, "payments")
        with pytest.raises(InvalidLineError, match="ambiguous_cluster"):
            watch.resolve(None, "payments", 0)

    def test_partition_that_was_added(self, settings, table):
        """A partition that is not known yet gets a slot of the same topic; a made-up number gets none."""
        watch = SinkWatch(settings, 0, table, Commits(lambda: 0.0), nothing)
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

        watch = SinkWatch(settings, 0, table, Commits(lambda: 0.0), discover)
        assert watch.resolve("dr", "primary.payouts", 0) is None
        assert asked == []
        source = {"cluster": "primary", "topics": ["^pay.*"]}
        settings = offline.config(mirrors=mirrors, source=source).pipelines["payments"]
        watch = SinkWatch(settings, 0, table, Commits(lambda: 0.0), discover)
        assert watch.resolve("dr", "primary.payouts", 0) == (3, "payouts")
        assert watch.resolve("dr", "primary.paying", 0) is None
        assert asked == [1]


class TestCommitted:
    def test_by_slot(self, settings, table, manual_clock):
        """Commits of every log that the sink reads, by slot; 0 where nothing is known."""
        watch = SinkWatch(settings, 0, table, Commits(manual_clock, dr=5), nothing)
        assert watch.committed().tolist() == [0, 5, 5]

    def test_asked_now_and_then(self, settings, table, manual_clock):
        """The group is asked once in a while, and in between the last answer holds."""
        commits = Commits(manual_clock, dr=5)
        watch = SinkWatch(settings, 0, table, commits, nothing)
        watch.committed()
        commits.offsets["dr"] = 8
        assert watch.committed().tolist() == [0, 5, 5]
        assert commits.asked == [("primary", "charger"), ("dr", "charger")]
        manual_clock.now += POLL_SECONDS
        assert watch.committed().tolist() == [0, 8, 8]

    def test_never_falls(self, settings, table, manual_clock):
        """What a group has once gone past, it has gone past, even when it rewinds or cannot be seen."""
        commits = Commits(manual_clock, dr=5)
        watch = SinkWatch(settings, 0, table, commits, nothing)
        watch.committed()
        for offsets in ({"dr": 3}, {}):
            commits.offsets = offsets
            manual_clock.now += POLL_SECONDS
            assert watch.committed().tolist() == [0, 5, 5]

    def test_without_a_group(self, offline, table, manual_clock):
        """A sink without a group is asked about nothing."""
        commits = Commits(manual_clock, dr=5)
        watch = SinkWatch(offline.config().pipelines["payments"], 0, table, commits, nothing)
        assert watch.committed().tolist() == []
        assert commits.asked == []
