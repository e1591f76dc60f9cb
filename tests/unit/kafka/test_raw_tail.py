from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from dupscope.kafka.clock import Clock
from dupscope.kafka.raw import RawRecord
from dupscope.kafka.raw_tail import GONE_SECONDS, LOOK_AGAIN_SECONDS, REST_SECONDS, RawTail
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Start
from support.mock import MockCluster
from support.waiting import wait_until

FETCH, METADATA = 1, 3
TOPIC_DENIED, UNKNOWN_TOPIC = 29, 3
Tails = Callable[..., RawTail]


class SkippingClock:
    """The real clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.clock = Clock(monotonic=lambda: time.monotonic() + self.ahead)


@pytest.fixture
def own() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        cluster.create_topic("t", 2)
        yield cluster


@pytest.fixture
def skipping() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
def tail_of(skipping: SkippingClock) -> Iterator[Tails]:
    tails: list[RawTail] = []

    def make(cluster: MockCluster | str, selection: TopicSelection | None = None, **options: object):
        servers = cluster if isinstance(cluster, str) else cluster.bootstrap_servers
        settings = ClusterSettings("a", {"bootstrap.servers": servers}, timeout_seconds=1.0)
        topics = selection or TopicSelection({"t": "t"})
        tails.append(RawTail(settings, topics, clock=skipping.clock, **options))
        return tails[-1]

    yield make
    for tail in tails:
        tail.close()


def read_until(tail: RawTail, enough: Callable[[list[RawRecord], list[str]], bool]):
    """All records and lost places until they are enough."""
    records: list[RawRecord] = []
    lost: list[str] = []

    def done() -> bool:
        read = tail.read(100)
        records.extend(read.records)
        lost.extend(read.lost)
        return enough(records, lost)

    wait_until(done, 30, "enough was read", poll=0.01)
    return records, lost


def some_records(tail: RawTail, most: int) -> list[RawRecord]:
    """What the first read gives that gives something."""
    return wait_until(lambda: tail.read(most).records, 20, "some records", poll=0.01)


def count(number: int) -> Callable[[list[RawRecord], list[str]], bool]:
    return lambda records, _: len(records) >= number


class TestRead:
    def test_records_come_with_key_value_headers_and_time(self, own, tail_of):
        own.produce("t", [(1, b"k", b"v", 1_700_000_000_000, [("h", b"1")]), (1, None, None)])
        tail = tail_of(own)
        first, second = read_until(tail, count(2))[0]
        assert first[1:] == (0, 1_700_000_000_000, b"k", b"v", [("h", b"1")])
        assert (second.offset, second.key, second.value, second.headers) == (1, None, None, [])
        assert tail.place(first.slot, first.offset) == "t[1] offset 0"

    def test_at_most_so_many_at_once_and_none_twice(self, own, tail_of):
        own.produce("t", [(0, b"k", b"%d" % n) for n in range(500)])
        tail, values = tail_of(own), []

        def step() -> bool:
            read = tail.read(7)
            assert len(read.records) <= 7
            values.extend(int(one.value) for one in read.records)
            return len(values) >= 500

        wait_until(step, 30, "all was read", poll=0)
        assert values == list(range(500))

    def test_a_read_of_nothing_does_not_wait(self, own, tail_of):
        tail = tail_of(own)
        wait_until(lambda: tail.read(10) and tail.complete_ms, 20, "the end is known")
        began = time.monotonic()
        for _ in range(20):
            tail.read(10)
        assert time.monotonic() - began < 1.0

    def test_topics_that_a_pattern_finds_later_are_read_from_their_beginning(self, own, tail_of, skipping):
        tail = tail_of(own, TopicSelection({}, (re.compile("audit-.*"),), lambda topic: topic))
        own.create_topic("audit-1", 1)
        own.produce("audit-1", [(0, b"k", b"1")])
        read_until(tail, count(1))
        own.create_topic("audit-2", 1)
        own.produce("audit-2", [(0, b"k", b"2")])
        skipping.ahead += LOOK_AGAIN_SECONDS
        assert read_until(tail, count(1))[0][0].value == b"2"


class TestResuming:
    def test_it_goes_on_behind_what_was_given(self, own, tail_of):
        own.produce("t", [(n % 2, b"k", b"%d" % n) for n in range(40)])
        tail, values = tail_of(own), []
        values += some_records(tail, 9)
        while len(values) < 40:
            saved = tail.saved()
            tail = tail_of(own, start=Start("latest"))
            tail.resume(saved)
            assert tail.saved() == saved
            values += some_records(tail, 9)
        assert sorted(int(one.value) for one in values) == list(range(40))

    def test_what_was_deleted_meanwhile_is_lost_with_its_place(self, own, tail_of):
        own.produce("t", [(0, b"k", b"v")] * 5)
        tail = tail_of(own)
        read_until(tail, count(5))
        saved = tail.saved()
        own.produce("t", [(0, b"k", b"v")] * 7)
        own.delete_records("t", 0, 9)
        tail = tail_of(own)
        tail.resume(saved)
        records, lost = read_until(tail, count(3))
        assert [one.offset for one in records] == [9, 10, 11]
        assert lost in (["t[0] offsets 5..8: offset_out_of_range"], ["t[0] offsets 5..8: log_start_moved"])


class TestAway:
    def test_nobody_there_is_a_problem_and_asked_for_a_moment_only(self, tail_of, skipping):
        tail = tail_of("127.0.0.1:1")
        began = time.monotonic()
        for _ in range(50):
            assert tail.read(10).records == []
        assert time.monotonic() - began < 2.5
        assert "cluster 'a'" in tail.problem
        assert tail.ends() is None
        skipping.ahead += REST_SECONDS
        began = time.monotonic()
        tail.read(10)
        assert time.monotonic() - began > 0.5, "asked again"

    def test_a_cluster_that_comes_back_goes_on_without_loss(self, own, tail_of, skipping):
        own.produce("t", [(0, b"k", b"1")])
        tail = tail_of(own)
        read_until(tail, count(1))
        own.stop()
        wait_until(lambda: tail.read(10) and tail.problem, 30, "the problem is seen")
        own.resume()
        own.produce("t", [(0, b"k", b"2")])
        skipping.ahead += REST_SECONDS
        records, lost = read_until(tail, count(1))
        assert ([one.value for one in records], lost) == ([b"2"], [])
        wait_until(lambda: tail.read(10) and tail.problem is None, 30, "the problem has passed")

    def test_a_topic_that_is_not_there_yet_is_a_problem_and_found_once_it_is(self, own, tail_of, skipping):
        own.fail(METADATA, *[UNKNOWN_TOPIC] * 3)
        tail = tail_of(own, TopicSelection({"later": "later"}))
        tail.read(10)
        assert "later" in (tail.problem or "")
        own.heal(METADATA)
        own.create_topic("later", 1)
        own.produce("later", [(0, b"k", b"v")])
        skipping.ahead += 5
        read_until(tail, count(1))

    def test_no_access_is_a_problem(self, own, tail_of):
        own.produce("t", [(0, b"k", b"v")])
        own.fail(FETCH, *[TOPIC_DENIED] * 3)
        tail = tail_of(own)
        wait_until(lambda: tail.read(10) and tail.problem, 20, "the problem")
        assert tail.problem == "cannot be read: topic_authorization_failed"


class TestEnds:
    def test_complete_is_what_was_written_before_the_ends_were_asked_for(self, own, tail_of, skipping):
        own.produce("t", [(0, b"k", b"v")] * 300)
        tail, began = tail_of(own), int(time.time() * 1000)
        assert tail.complete_ms is None
        records = 0
        while tail.complete_ms is None:
            records += len(tail.read(10).records)
        assert records == 300
        assert began <= tail.complete_ms <= time.time() * 1000
        first = tail.complete_ms
        skipping.ahead += 1
        wait_until(lambda: tail.read(10) and tail.complete_ms > first, 10, "a later moment")

    def test_goals_are_the_ends_of_now(self, own, tail_of):
        own.produce("t", [(0, b"k", b"v")] * 5)
        tail = tail_of(own)
        ends = tail.ends()
        assert sorted(ends.values()) == [0, 5]
        assert not tail.has_passed(ends)
        own.produce("t", [(1, b"k", b"v")] * 5)
        read_until(tail, count(5))
        wait_until(lambda: tail.read(10) and tail.has_passed(ends), 10, "the goal")


class TestGone:
    def test_a_topic_that_stays_away_is_given_up_with_its_places(self, own, tail_of, skipping):
        own.produce("t", [(0, b"k", b"v")] * 3)
        tail = tail_of(own)
        read_until(tail, count(3))
        own.fail(METADATA, *[UNKNOWN_TOPIC] * 200)
        lost: list[str] = []

        def step() -> list[str]:
            skipping.ahead += GONE_SECONDS / 4
            lost.extend(tail.read(10).lost)
            return lost

        wait_until(step, 30, "it is given up")
        assert lost == ["t[0] from offset 3 on: topic_deleted", "t[1] from offset 0 on: topic_deleted"]
        assert tail.has_passed({0: 100})
