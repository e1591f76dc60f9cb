"""What the contract of readers does not cover: faults that only mock brokers have."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.columns import Decoder
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.model.position import PartitionTable
from support.mock import MockCluster
from support.waiting import wait_until

FETCH, FIND_COORDINATOR = 1, 10
NOT_LEADER, TOPIC_DENIED, GROUP_DENIED = 6, 29, 30
Tails = Callable[..., Tail]


@pytest.fixture
def own() -> Iterator[MockCluster]:
    """A cluster for one test, to be broken."""
    with MockCluster() as cluster:
        cluster.create_topic("t", 1)
        yield cluster


@pytest.fixture
def tail_of() -> Iterator[Tails]:
    tails: list[Tail] = []

    def make(settings: ClusterSettings, table: PartitionTable | None = None, **arguments: object) -> Tail:
        fingerprinter = Fingerprinter(bytes(16), "p", KeySpec("kafka_key"))
        log = arguments.pop("log", lambda *_: None)
        selection = TopicSelection({"t": "t"})
        numbered = PartitionTable() if table is None else table
        read = TailSettings(settings, 0, selection, **arguments)
        tail = Tail(read, numbered, Decoder(0, fingerprinter), log)
        tails.append(tail)
        return tail

    yield make
    for tail in tails:
        tail.close()


def settings_of(cluster: MockCluster, **properties: str) -> ClusterSettings:
    return ClusterSettings("a", {"bootstrap.servers": cluster.bootstrap_servers, **properties}, 2.0)


def read_until(tail: Tail, enough: Callable[[Counter, Counter], bool]) -> tuple[Counter, Counter]:
    """Read until the sums of (records, errors) are enough."""
    records: Counter[str] = Counter()
    errors: Counter[str] = Counter()

    def done() -> bool:
        read = tail.read(1000, 0.05)
        records.update(read.records)
        errors.update(read.errors)
        return enough(records, errors)

    wait_until(done, 20, "enough was read", poll=0)
    return records, errors


class TestOpen:
    def test_brokers_that_are_away_are_told_quickly_and_may_come_back(self, nowhere, tail_of: Tails):
        tail = tail_of(nowhere)
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(BrokersUnreachableError):
                tail.open()
            assert time.monotonic() - began < 5
        assert tail.positions == {}

    def test_a_tail_that_was_never_opened_closes(self, nowhere, tail_of: Tails):
        tail_of(nowhere).close()

    def test_a_state_waits_until_the_brokers_are_back(self, own: MockCluster, tail_of: Tails):
        own.produce("t", [(0, b"a", b"1")] * 5)
        table = PartitionTable()
        tail = tail_of(settings_of(own), table)
        tail.open()
        read_until(tail, lambda records, _: records["t"] == 5)
        state = tail.state
        own.stop()
        tail = tail_of(settings_of(own), table, start=Start("latest"))
        for _ in range(2):
            with pytest.raises(BrokersUnreachableError):
                tail.open(state)
            assert (tail.state, tail.slots) == (state, {})
        own.resume()
        own.produce("t", [(0, b"b", b"1")] * 2)
        assert wait_until(lambda: opens(tail, state), 20, "the tail opens")
        read_until(tail, lambda records, _: records["t"] == 2)
        assert (tail.positions, tail.beginnings) == ({0: 7}, {0: Beginning(0, None)})


def opens(tail: Tail, state: TailState) -> bool:
    try:
        tail.open(state)
    except BrokersUnreachableError:
        return False
    return True


class TestRead:
    def test_brokers_going_away_is_lag_and_not_an_error(self, own: MockCluster, tail_of: Tails):
        heard = []
        own.produce("t", [(0, b"a", b"1")])
        tail = tail_of(settings_of(own), log=lambda *line: heard.append(line))
        tail.open()
        read_until(tail, lambda records, _: records["t"] == 1)
        own.stop()
        read_until(tail, lambda _, errors: errors["all_brokers_down"] > 0)
        assert tail.positions == {0: 1}
        own.resume()
        own.produce("t", [(0, b"b", b"1")])
        read_until(tail, lambda records, _: records["t"] == 1)
        assert tail.positions == {0: 2}
        assert {line[:2] for line in heard} >= {("a", "FAIL")}

    def test_denied_access_to_a_topic_is_counted(self, own: MockCluster, tail_of: Tails):
        own.produce("t", [(0, b"a", b"1")])  # an empty log hides the fault
        own.fail(FETCH, TOPIC_DENIED)
        tail = tail_of(settings_of(own))
        tail.open()
        _, errors = read_until(tail, lambda _, errors: bool(errors))
        assert errors == {"topic_authorization_failed": 1}

    def test_a_leader_that_moved_delays_and_loses_nothing(self, own: MockCluster, tail_of: Tails):
        own.produce("t", [(0, b"a", b"1")])
        own.fail(FETCH, NOT_LEADER, NOT_LEADER)
        tail = tail_of(settings_of(own))
        tail.open()
        records, errors = read_until(tail, lambda records, _: records["t"] == 1)
        assert (records, errors) == ({"t": 1}, {})

    def test_no_right_to_see_our_group_is_survived(self, own: MockCluster, tail_of: Tails):
        own.fail(FIND_COORDINATOR, *[GROUP_DENIED] * 50)
        tail = tail_of(settings_of(own))
        tail.open()
        own.produce("t", [(0, b"a", b"1")])
        records, errors = read_until(tail, lambda records, errors: records["t"] == 1 and bool(errors))
        assert (records["t"], errors["group_authorization_failed"] > 0) == (1, True)

    def test_a_position_stays_lost_while_nobody_can_tell_where_the_log_begins(
        self, own: MockCluster, tail_of: Tails
    ):
        own.produce("t", [(0, b"a", b"1")] * 5)
        table = PartitionTable()
        tail = tail_of(settings_of(own), table)
        tail.open()
        read_until(tail, lambda records, _: records["t"] == 5)
        tail = tail_of(settings_of(own), table)
        own.delete_records("t", 0, 3)
        tail.open(TailState({0: 1}, {}, frozenset(), {}))
        read_until(tail, lambda records, errors: records["t"] == 2 and errors["offset_out_of_range"] == 1)
        assert tail.positions == {0: 5}
        assert tail.beginnings[0].offset == 3

    def test_without_budget_it_waits_no_longer_than_its_timeout(self, own: MockCluster, tail_of: Tails):
        own.produce("t", [(0, b"a", b"1")] * 5)
        tail = tail_of(settings_of(own), max_records_per_second=1)
        tail.open()
        read_until(tail, lambda records, _: records["t"] >= 1)
        began = time.monotonic()
        tail.read(1000, 0.05)
        assert time.monotonic() - began < 0.5


class TestReadOnly:
    def test_the_users_group_name_is_only_a_name(self, own: MockCluster, tail_of: Tails):
        own.produce("t", [(0, b"a", b"1")])
        own.track_requests()
        tail = tail_of(settings_of(own, **{"group.id": "charger"}))
        tail.open()
        read_until(tail, lambda records, _: records["t"] == 1)
        tail.close()
        joins_and_commits = {8, 11, 12, 14, 68}
        assert not own.requests() & joins_and_commits
