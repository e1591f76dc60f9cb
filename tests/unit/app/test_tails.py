from __future__ import annotations

import time
from collections import Counter

import pytest

from dupscope.app.tails import start_of
from dupscope.app.watch import PipelineWatch
from dupscope.kafka.starts import Start
from support.waiting import wait_until

SOURCE, MIRROR = 0, 1
STARTED_MS = 1_800_000_000_000


def read(watch: PipelineWatch, log: int, seen: Counter[str]) -> int:
    """Records of a log that were read so far, `seen` included."""
    seen["records"] += len(watch.tails[log].read(1000, 0.05).batch)
    return seen["records"]


class TestStartOf:
    @pytest.mark.parametrize(
        ("start", "source", "mirror"),
        [
            ("earliest", Start("earliest"), Start("earliest")),
            ("latest", Start("timestamp", STARTED_MS - 600_000), Start("latest")),
            ("1h", Start("timestamp", STARTED_MS - 4_200_000), Start("timestamp", STARTED_MS - 3_600_000)),
        ],
    )
    def test_levels(self, offline, start, source, mirror):
        """Each log begins a margin before the log that copies it."""
        settings = offline.config(start=start, margin="10m").pipelines["payments"]
        assert start_of(settings, SOURCE, STARTED_MS) == source
        assert start_of(settings, MIRROR, STARTED_MS) == mirror

    def test_without_a_mirror(self, offline):
        """A source alone needs no margin."""
        settings = offline.config(start="latest", mirrors={}, sinks={}).pipelines["payments"]
        assert start_of(settings, SOURCE, STARTED_MS) == Start("latest")


class TestOpen:
    def test_all(self, online):
        """With both clusters there, all partitions are numbered, and nothing is left to open."""
        watch = online.watch()
        assert not watch.tails.is_complete
        assert watch.tails.open() == {}
        assert watch.tails.is_complete
        assert len(watch.table) == 6
        assert watch.tails.open() == {}
        assert len(watch.table) == 6

    def test_one_is_away(self, online):
        """A log that cannot be opened is told with the reason; the others are read meanwhile."""
        online.produce(*range(5))
        online.destination.stop()
        watch = online.watch()
        problems = watch.tails.open()
        assert list(problems) == [MIRROR]
        assert problems[MIRROR].startswith("cluster 'dr': topic 'primary.payments': ")
        assert (watch.tails.is_up(SOURCE), watch.tails.is_up(MIRROR)) == (True, False)
        seen = Counter()
        wait_until(lambda: read(watch, SOURCE, seen) == 5, 20, "the source is read", poll=0)
        assert watch.tails.take_ends({}) is None

    def test_silent_cluster(self, online):
        """A cluster that has just not answered is not asked again at once; its problem stays."""
        online.destination.stop()
        watch = online.watch()
        problems = watch.tails.open()
        assert list(problems) == [MIRROR]
        began = time.monotonic()
        assert watch.tails.open() == problems
        assert time.monotonic() - began < 1
        assert not watch.tails.is_complete


class TestMovingTopics:
    def test_a_topic_that_a_pattern_finds_later(self, online):
        """It is noticed when ends are taken, read from its start, and downstream waits for that."""
        watch = online.watch(
            source={"cluster": "primary", "topics": ["^pay.*"]},
            mirrors={"to-dr": {"cluster": "dr", "topics": [r"^primary\.pay.*"]}},
        )
        watch.tails.open()
        assert watch.tails.topics(SOURCE) == {"payments": "payments"}
        online.source.create_topic("payouts", 1)
        online.source.produce("payouts", [(0, b"k", b'{"id": 7}', STARTED_MS)])
        assert watch.tails.take_ends({}) is None
        assert not watch.tails.is_complete
        watch.tails.open()
        assert watch.tails.topics(SOURCE) == {"payments": "payments", "payouts": "payouts"}
        seen = Counter()
        wait_until(lambda: read(watch, SOURCE, seen) == 1, 20, "the new topic is read", poll=0)
        assert watch.tails.take_ends({}) is not None

    def test_a_topic_that_is_looked_for_by_name(self, online):
        """A sink can be quicker than the tails: its topic is discovered when it asks."""
        watch = online.watch(mirrors={"to-dr": {"cluster": "dr", "topics": [r"^primary\.pay.*"]}})
        watch.tails.open()
        online.destination.create_topic("primary.payouts", 1)
        watch.tails.discover(MIRROR)
        assert set(watch.tails.topics(MIRROR)) == {"primary.payments"}

    def test_a_hole_in_one_topic_says_nothing_about_another(self, online):
        """Coverage is by logical topic; the whole log is covered since the latest hole."""
        online.source.create_topic("refunds", 1)
        watch = online.watch(source={"cluster": "primary", "topics": ["payments", "refunds"]})
        watch.tails.open()
        watch.tails[SOURCE].retire_topics(["refunds"])
        covered = watch.tails.covered_topics()
        assert covered[SOURCE, "payments"] is None
        assert covered[SOURCE, "refunds"] == watch.tails.covered_since(SOURCE) is not None

    def test_partitions_that_are_gone_were_passed(self, online):
        """Nobody can read them any more: no barrier waits for them."""
        watch = online.watch()
        watch.tails.open()
        watch.tails[SOURCE].retired.add(0)
        assert watch.tails.passed()[0] > 1 << 60
