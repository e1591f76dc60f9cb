from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dupscope.app.groups import POLL_SECONDS, GroupWatch
from dupscope.app.watch import Reads
from dupscope.model.plain import equal
from dupscope.model.position import Partition, PartitionTable
from dupscope.store.contents import SavedState
from dupscope.store.frame import seal, unseal

SOURCE, FIRST, SECOND = 0, 1, 2
"""Slots: of the source, and of the mirror's two partitions."""


class Commits:
    """Clusters of which only the groups' commits are asked: `offsets` by cluster and partition."""

    def __init__(self, clock: Callable[[], float], **offsets: dict[int, int]) -> None:
        self.clock = clock
        self.now_ms = lambda: int(1000 * clock())
        self.offsets = offsets
        self.asked: list[tuple[str, str]] = []

    def committed(self, cluster: str, group: str, partitions: list[tuple[str, int]]) -> dict:
        self.asked.append((cluster, group))
        known = self.offsets.get(cluster, {})
        return {(topic, number): known[number] for topic, number in partitions if number in known}


@pytest.fixture
def table() -> PartitionTable:
    table = PartitionTable()
    table.slot(Partition(0, "c0", "id-0", "payments", "payments", 0))
    for number in range(2):
        table.slot(Partition(1, "c1", "id-1", "primary.payments", "payments", number))
    return table


@pytest.fixture
def settings(offline):
    """A sink that fails over: it reads the mirror and the source. It has no audit log."""
    return offline.config(sinks={"charger": {"reads": ["source", "to-dr"], "group": "charger"}}).pipelines[
        "payments"
    ]


@pytest.fixture
def commits(manual_clock) -> Commits:
    return Commits(manual_clock, dr={0: 5, 1: 50})


class Polled:
    """A watch, asked again after its pause each time."""

    def __init__(self, watch: GroupWatch, clock, table: PartitionTable) -> None:
        self.watch, self._clock, self._table = watch, clock, table

    def __call__(self, *passed: int) -> list[int]:
        """Largest commits by slot. `passed` is how far our tails are, far beyond all if left out."""
        self._clock.now += POLL_SECONDS
        far = np.full(len(self._table), 1 << 40)
        return self.watch.committed(np.array(passed) if passed else far).tolist()


@pytest.fixture
def poll(settings, table, commits, manual_clock) -> Polled:
    return Polled(GroupWatch(settings, 0, table, commits), manual_clock, table)


class TestCommitted:
    def test_by_slot(self, poll):
        """Commits of every log that the sink reads, by slot; 0 where nothing is known."""
        assert poll() == [0, 5, 50]

    def test_asked_now_and_then(self, poll, commits):
        """The group is asked once in a while, and in between the last answer holds."""
        poll()
        commits.offsets["dr"] = {0: 8, 1: 50}
        assert poll.watch.committed(np.zeros(3, np.int64)).tolist() == [0, 5, 50]
        assert commits.asked == [("primary", "charger"), ("dr", "charger")]
        assert poll() == [0, 8, 50]

    def test_never_falls(self, poll, commits):
        """What a group has once gone past, it has gone past, even when it rewinds or cannot be seen."""
        poll()
        for offsets in ({"dr": {0: 3}}, {}):
            commits.offsets = offsets
            assert poll() == [0, 5, 50]

    def test_partition_that_was_added(self, poll, commits, table):
        """A slot that is new is 0 until the group has committed there."""
        poll()
        table.slot(Partition(1, "c1", "id-1", "primary.payments", "payments", 2))
        assert poll() == [0, 5, 50, 0]
        commits.offsets["dr"][2] = 7
        assert poll() == [0, 5, 50, 7]

    def test_without_a_group(self, offline, table, manual_clock):
        """A sink without a group is asked about nothing, and nothing is delivered to it again."""
        commits = Commits(manual_clock, dr={0: 5})
        watch = GroupWatch(offline.config().pipelines["payments"], 0, table, commits)
        assert watch.committed(np.zeros(3, np.int64)).tolist() == []
        assert (watch.redelivered(), commits.asked) == (0, [])


class TestRedelivered:
    def test_commits_that_move_back(self, poll, commits):
        """Each partition counts by how far it moved back; going on from there counts nothing."""
        poll()
        assert poll.watch.redelivered() == 0
        commits.offsets["dr"] = {0: 2, 1: 10}
        poll()
        assert poll.watch.redelivered() == 3 + 40
        assert poll.watch.redelivered() == 0
        commits.offsets["dr"] = {0: 5, 1: 30}
        poll()
        assert poll.watch.redelivered() == 0

    def test_again_from_where_it_went_back_to(self, poll, commits):
        """A second rewind is measured from the commit before it, not from the farthest one."""
        for offset in (10, 30, 20):
            commits.offsets["dr"] = {1: offset}
            poll()
        assert poll.watch.redelivered() == 10

    def test_to_the_beginning(self, poll, commits):
        """Offset 0 is a commit like any other."""
        poll()
        commits.offsets["dr"] = {0: 0, 1: 0}
        poll()
        assert poll.watch.redelivered() == 55

    def test_commits_that_are_away(self, poll, commits):
        """Expired, deleted or not to be had is no rewind; a group that begins anew below it is one."""
        poll()
        commits.offsets["dr"] = {}
        poll()
        assert poll.watch.redelivered() == 0
        commits.offsets["dr"] = {1: 20}
        poll()
        assert poll.watch.redelivered() == 30

    def test_while_nobody_looked(self, poll, commits, settings, table, manual_clock):
        """What was seen is stored: a rewind during a stop counts at the next start, and only once."""
        poll()
        saved = unseal(seal(poll.watch.saved(), "here"), "here")
        commits.offsets["dr"] = {1: 10}
        for _ in range(2):
            again = Polled(GroupWatch(settings, 0, table, commits), manual_clock, table)
            again.watch.resume(saved)
            assert again() == [0, 5, 50]
            assert again.watch.redelivered() == 40
            later = again.watch.saved()
        last = Polled(GroupWatch(settings, 0, table, commits), manual_clock, table)
        last.watch.resume(later)
        last()
        assert last.watch.redelivered() == 0

    def test_topic_that_was_created_again(self, poll, commits, table):
        """The new topic is another one: commits of its namesake say nothing about it, new ones do."""
        poll()
        table.slot(Partition(1, "c1", "id-2", "primary.payments", "payments", 1))
        far = 1 << 40
        assert poll(far, far, far, 4) == [0, 5, 50, 0]
        commits.offsets["dr"] = {0: 5, 1: 3}
        assert poll(far, far, far, 4) == [0, 5, 50, 3]
        assert poll.watch.redelivered() == 0
        commits.offsets["dr"] = {0: 5, 1: 1}
        assert poll(far, far, far, 9) == [0, 5, 50, 3]
        assert poll.watch.redelivered() == 2


class TestSettled:
    """Commits count once all that the sink did by then is known, where effects are expected."""

    @pytest.fixture
    def settings(self, offline):
        sink = {"reads": ["to-dr"], "group": "charger", "expects": "all"}
        sinks = {"charger": {**sink, "audit": {"file": str(offline.audit)}}}
        return offline.config(sinks=sinks).pipelines["payments"]

    def test_once_the_audit_log_was_read_to_a_later_moment(self, poll, commits, manual_clock):
        poll()
        asked = commits.now_ms()
        for complete in (None, asked - 1):
            poll.watch.read(complete)
            assert poll.watch.settled.tolist() == []
        poll.watch.read(asked)
        assert poll.watch.settled.tolist() == [0, 5, 50]

    def test_the_moment_does_not_run_away(self, poll, commits):
        """An audit log that is read slowly settles what was asked first, not what is asked now."""
        poll()
        asked = commits.now_ms()
        commits.offsets["dr"] = {0: 9, 1: 90}
        poll()
        poll.watch.read(asked)
        assert poll.watch.settled.tolist() == [0, 5, 50]
        poll()
        poll.watch.read(commits.now_ms())
        assert poll.watch.settled.tolist() == [0, 9, 90]

    def test_what_was_committed_when_it_was_seen_first(self, poll, commits):
        """Later commits do not change it, also behind it; a partition without a commit has none yet."""
        commits.offsets["dr"] = {1: 50}
        poll()
        commits.offsets["dr"] = {0: 7, 1: 40}
        poll()
        assert poll.watch.first.tolist() == [-1, 7, 50]

    def test_stored(self, poll, settings, table, commits):
        poll()
        poll.watch.read(commits.now_ms())
        again = GroupWatch(settings, 0, table, commits)
        again.resume(unseal(seal(poll.watch.saved(), "here"), "here"))
        assert again.settled.tolist() == [0, 5, 50]
        assert again.first.tolist() == [-1, 5, 50]

    def test_in_the_progress_that_the_ledger_is_handed(self, offline, settings):
        """With expectations there are columns for each sink; without, there are none."""
        sink = {"reads": ["to-dr"], "group": "charger", "audit": {"file": str(offline.audit)}}
        for more, columns in (({"expects": "all"}, 1), ({}, 0)):
            watch = offline.watch(sinks={"charger": {**sink, **more}})
            watch.conclude(watch.observe(1, Reads()), Reads())
            progress = watch.entries[-1].cycle.progress
            assert (len(progress.settled), len(progress.settled_from)) == (columns, columns)


class TestWatch:
    """The pipeline's watch carries it to the metrics and into the store."""

    def test_stored_with_everything_else(self, offline):
        """A state of a version that did not know of groups goes on without."""
        watch = offline.watch(sinks={"charger": {"reads": ["to-dr"], "group": "charger"}})
        saved = watch.saved()
        assert [sorted(group) for group in saved["groups"]] == [["gone_past", "last"]]
        without = {name: value for name, value in saved.items() if name != "groups"}
        kept = watch.checkpoint()
        for where in (saved, without):
            again = offline.watch(sinks={"charger": {"reads": ["to-dr"], "group": "charger"}})
            again.restore(SavedState(kept.state, kept.partitions), (), where)
            assert equal(again.saved(), saved)
