"""Tails that are killed: another one with the saved state reads on as if nothing had happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import Producer

from contract.clusters import Cluster, KafkaContractCluster, append, settings_of
from contract.compaction import NOON, compacted_topic, stamped
from contract.conftest import LOG
from contract.reading import Heard, opened, read_to_end, read_until, read_while, slots
from contract.test_moving import Family
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail
from dupscope.model.batch import Gap
from dupscope.model.position import Partition, PartitionTable
from support.waiting import wait_until

Tails = Callable[..., Tail]


def numbered(count: int, partitions: int = 1, begin: int = 0) -> list[tuple]:
    """Records with a second between them, dealt out to the partitions in turn."""
    return [(i % partitions, b"k%d" % i, b"v", NOON + 1000 * i) for i in range(begin, begin + count)]


class Life:
    """A log that is read by one tail after the other. Each process knows what the one before has saved.

    The configured start is the end of the log: what is found there although it was not read before is lost.
    """

    def __init__(self, make: Tails, cluster: Cluster, topics: dict[str, str] | TopicSelection) -> None:
        self._make, self._cluster, self._topics = make, cluster, topics
        self.table = PartitionTable()
        self.tail = make(cluster, topics, table=self.table)
        self.heard = Heard()

    def kill(self, change: Callable[[TailState], TailState] = lambda state: state) -> Tail:
        """Begin another process. It is not opened yet."""
        self.state = change(saved(self.tail.state))
        partitions = self.table.partitions
        self.tail.close()
        self.table = PartitionTable()
        for partition in partitions:
            self.table.slot(partition)
        self.tail = self._make(self._cluster, self._topics, Start("latest"), self.table)
        return self.tail

    def again(self, change: Callable[[TailState], TailState] = lambda state: state) -> Tail:
        """Begin another process and open the log."""
        self.kill(change)
        return opened(self.tail, self.state)

    def slot(self, topic: str, number: int = 0) -> int:
        """The newest slot of a partition."""
        return slots(self.table)[topic, number]


def saved(state: TailState) -> TailState:
    """What is found of a state that was stored."""
    found = TailState.from_tree(msgspec.msgpack.decode(msgspec.msgpack.encode(state.tree())))
    assert found == state
    return found


@pytest.fixture
def life_of(tail_of: Tails) -> Callable[..., Life]:
    def make(cluster: Cluster, topics: dict[str, str] | TopicSelection) -> Life:
        return Life(tail_of, cluster, topics)

    return make


Lives = Callable[..., Life]


class TestExactly:
    @pytest.mark.parametrize("max_records", [7, 25, 1000])
    def test_however_often_it_is_killed_the_records_are_those_of_one_tail(
        self, cluster: Cluster, tail_of: Tails, life_of: Lives, max_records: int
    ):
        topic = cluster.create_topic(3)
        cluster.produce(topic, numbered(60, 3))
        whole = opened(tail_of(cluster, {topic: "payments"}))
        expected = read_to_end(whole)
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail)
        heard = Heard()
        while life.tail.positions != whole.positions:
            heard.add(life.tail.read(max_records, 5))
            life.again()
        heard.add(read_to_end(life.tail).reads[-1])
        assert heard.rows() == expected.rows()
        assert heard.offsets() == expected.offsets()
        assert heard.records == expected.records
        assert (heard.holes, heard.gaps) == ([], [])
        assert life.tail.state == whole.state

    def test_at_the_end_only_what_comes_is_read(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(2)
        cluster.produce(topic, numbered(8, 2))
        life = life_of(cluster, {topic: "payments"})
        read_to_end(opened(life.tail))
        life.again()
        assert life.tail.at_end == set()
        assert read_to_end(life.tail).records == {}
        cluster.produce(topic, numbered(3, 2, 8))
        assert read_until(life.tail, 3).offsets() == {0: [4, 5], 1: [4]}

    def test_coverage_is_what_it_was(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5))
        cluster.delete_records(topic, 0, 2)
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail)
        life.again()
        assert life.tail.beginnings[0].provisional
        life.tail.read(1, 20)
        life.again()
        assert life.tail.beginnings == {0: Beginning(2, NOON + 2000)}
        read_to_end(life.tail)
        assert life.again().beginnings == {0: Beginning(2, NOON + 2000)}

    def test_a_tail_that_was_never_open_left_nothing(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5))
        life = life_of(cluster, {topic: "payments"})
        assert life.again().positions == {0: 5}

    def test_before_it_is_open_it_stands_where_the_other_stood(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5))
        life = life_of(cluster, {topic: "payments"})
        read_to_end(opened(life.tail))
        for _ in range(2):
            life.kill()
            life.tail.resume(life.state)
            assert life.tail.state == life.state
            assert (life.tail.positions, life.tail.slots) == ({0: 5}, {})
        assert opened(life.tail).positions == {0: 5}

    def test_a_second_state_is_of_no_effect(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(5))
        life = life_of(cluster, {topic: "payments"})
        read_to_end(opened(life.tail))
        life.again()
        opened(life.tail, dataclasses.replace(life.state, positions={0: 2}))
        assert life.tail.positions == {0: 5}


@pytest.mark.kafka
class TestUnseenOffsets:
    """Offsets that hold no record a reader may see: of transactions, and those that compaction emptied."""

    @pytest.fixture
    def transact(self, kafka_cluster: KafkaContractCluster) -> Callable[..., None]:
        """Write records to a topic in a transaction, and commit or abort it."""

        def act(topic: str, rows: list[tuple], *, commit: bool) -> None:
            servers = {"bootstrap.servers": kafka_cluster.bootstrap_servers}
            producer = Producer({**servers, "transactional.id": topic})
            producer.init_transactions(20)
            producer.begin_transaction()
            append(producer, topic, rows)
            (producer.commit_transaction if commit else producer.abort_transaction)(20)

        return act

    def test_positions_within_and_behind_transactions(
        self, kafka_cluster: KafkaContractCluster, life_of: Lives, transact: Callable[..., None]
    ):
        """Offsets 0 1 | 2 3 4 aborted, marker 5 | 6 7 8 committed, marker 9 | 10 11."""
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, numbered(2))
        transact(topic, numbered(3), commit=False)
        transact(topic, numbered(3), commit=True)
        kafka_cluster.produce(topic, numbered(2))
        life, heard, passed = life_of(kafka_cluster, {topic: "payments"}), Heard(), []
        opened(life.tail)
        for _ in range(7):
            heard.add(read_until(life.tail, 1, max_records=1).reads[-1])
            passed.append(life.tail.positions[0])
            life.again()
        assert heard.offsets() == {0: [0, 1, 6, 7, 8, 10, 11]}
        assert passed == [1, 2, 7, 8, 9, 11, 12]
        assert read_to_end(life.tail).records == {}

    def test_killed_behind_a_marker_at_the_end(
        self, kafka_cluster: KafkaContractCluster, life_of: Lives, transact: Callable[..., None]
    ):
        topic = compacted_topic(kafka_cluster)
        kafka_cluster.produce(topic, [stamped(0, b"a")])
        transact(topic, [stamped(1, b"b")], commit=False)
        life = life_of(kafka_cluster, {topic: "payments"})
        opened(life.tail)
        read_while(life.tail, lambda _: life.tail.positions == {0: 3}, "the marker was passed")
        for _ in range(2):
            life.again()
            assert read_to_end(life.tail).records == {}
        assert life.tail.state.gap_starts == {0: 1}
        kafka_cluster.produce(topic, [stamped(3, b"c")])
        heard = read_until(life.tail, 1)
        assert heard.gaps == [Gap(0, 1, 3, NOON, NOON + 3000)]

    def test_a_gap_across_two_lives_knows_the_record_before_it(
        self, kafka_cluster: KafkaContractCluster, tail_of: Tails, life_of: Lives
    ):
        """Offsets 0-4 of five keys, 5-9 of five others, 10-14 of these again: compaction takes 5-9."""
        topic = compacted_topic(kafka_cluster)
        kafka_cluster.produce(topic, [stamped(at, b"k%d" % min(at, 5 + at % 5)) for at in range(15)])
        rolled = iter(range(15, 1000))

        def compacted() -> bool:
            kafka_cluster.produce(topic, [stamped(next(rolled), b"roll")])
            heard = read_to_end(opened(tail_of(kafka_cluster, {topic: "payments"})))
            return heard.offsets()[0][5] == 10

        wait_until(compacted, 60, "the log was compacted")
        life, heard = life_of(kafka_cluster, {topic: "payments"}), Heard()
        opened(life.tail)
        for _ in range(3):
            heard.add(life.tail.read(1 if heard.reads else 5, 20))
            life.again()
        assert heard.offsets() == {0: [0, 1, 2, 3, 4, 10, 11]}
        assert heard.gaps == [Gap(0, 5, 10, NOON + 4000, NOON + 10_000)]
        assert life.tail.state.newest_ms == {0: NOON + 11_000}


class TestFoundAfterwards:
    """What was added while nobody read begins at its first offset, whatever the configured start."""

    def test_topics_that_a_pattern_finds(self, cluster: Cluster, life_of: Lives):
        family = Family()
        a, b = family.topic("a"), family.topic("b")
        cluster.create_named(a, 1)
        cluster.produce(a, numbered(4))
        life = life_of(cluster, family.selection())
        read_until(opened(life.tail), 4)
        cluster.create_named(b, 2)
        cluster.produce(b, numbered(6, 2))
        life.again()
        wait_until(lambda: opened(life.tail).topics.get(b), 20, "the topic is taken up")
        heard = read_until(life.tail, 6)
        assert heard.offsets() == {life.slot(b, 0): [0, 1, 2], life.slot(b, 1): [0, 1, 2]}
        assert life.tail.beginnings == dict.fromkeys(range(3), Beginning(0, None))
        assert heard.holes == []

    def test_the_first_topic_of_a_pattern(self, cluster: Cluster, life_of: Lives):
        family = Family()
        life = life_of(cluster, family.selection())
        opened(life.tail)
        cluster.create_named(family.topic("a"), 1)
        cluster.produce(family.topic("a"), numbered(3))
        life.again()
        wait_until(lambda: opened(life.tail).topics, 20, "the topic is taken up")
        assert read_until(life.tail, 3).offsets() == {0: [0, 1, 2]}
        assert life.tail.knows_ids is cluster.answers_admin

    @pytest.mark.kafka
    def test_partitions(self, kafka_cluster: KafkaContractCluster, life_of: Lives):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, numbered(5))
        life = life_of(kafka_cluster, {topic: "payments"})
        opened(life.tail).read(2, 20)
        kafka_cluster.grow(topic, 3)
        kafka_cluster.produce(topic, numbered(6, 3))
        life.again()
        wait_until(lambda: len(opened(life.tail).positions) == 3, 20, "the partitions are taken up")
        assert read_until(life.tail, 9).offsets() == {0: [2, 3, 4, 5, 6], 1: [0, 1], 2: [0, 1]}
        assert life.tail.beginnings == dict.fromkeys(range(3), Beginning(0, None))


class TestLostPositions:
    """An offset that the log does not hold any more is a hole: nothing is skipped in silence."""

    @pytest.mark.parametrize("watched", [False, True], ids=["by reading", "by watching"])
    def test_below_the_log_start(self, cluster: Cluster, life_of: Lives, *, watched: bool):
        topic = cluster.create_topic(2)
        cluster.produce(topic, numbered(20, 2))
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail)
        cluster.delete_records(topic, 0, 6)
        life.again(lambda state: dataclasses.replace(state, positions={0: 3, 1: 10}, newest_ms={0: 1, 1: 1}))
        if watched:
            life.tail.watch_starts()
        heard = read_until(life.tail, 4)
        assert heard.holes == [(0, "log_start_moved" if watched else "offset_out_of_range")]
        assert heard.offsets() == {0: [6, 7, 8, 9]}
        assert life.tail.beginnings == {0: Beginning(6, NOON + 12_000), 1: Beginning(0, None)}

    def test_nothing_is_left(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(9))
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail).read(3, 20)
        cluster.delete_records(topic, 0, 9)
        life.again()
        heard = read_while(life.tail, lambda heard: bool(heard.holes), "the hole is told")
        assert [slot for slot, _ in heard.holes] == [0]
        assert life.tail.positions == {0: 9}
        assert life.tail.beginnings[0].offset == 9
        cluster.produce(topic, numbered(1, 1, 9))
        assert read_until(life.tail, 1).offsets() == {0: [9]}

    def test_up_to_the_position_nothing_is_lost(self, cluster: Cluster, life_of: Lives):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(9))
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail).read(3, 20)
        cluster.delete_records(topic, 0, 3)
        life.again()
        life.tail.watch_starts()
        heard = read_to_end(life.tail)
        assert (heard.offsets(), heard.holes) == ({0: [3, 4, 5, 6, 7, 8]}, [])
        assert life.tail.beginnings == {0: Beginning(0, None)}

    @pytest.mark.parametrize("watched", [False, True], ids=["by reading", "by watching"])
    def test_beyond_the_end_nothing_is_read_again(self, cluster: Cluster, life_of: Lives, *, watched: bool):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(4))
        life = life_of(cluster, {topic: "payments"})
        read_to_end(opened(life.tail))
        life.again(lambda state: dataclasses.replace(state, positions={0: 100}))
        if watched:
            life.tail.watch_starts()
        heard = read_to_end(life.tail)
        assert heard.holes == [(0, "offset_out_of_range")]
        cluster.produce(topic, numbered(1, 1, 4))
        assert read_until(life.tail, 1).offsets() == {0: [4]}
        assert life.tail.positions == {0: 5}
        assert life.tail.beginnings[0].offset == 4

    def test_a_hole_that_no_read_has_told_yet_is_told_by_the_next_tail(
        self, cluster: Cluster, life_of: Lives
    ):
        topic = cluster.create_topic(1)
        cluster.produce(topic, numbered(9))
        life = life_of(cluster, {topic: "payments"})
        opened(life.tail)
        cluster.delete_records(topic, 0, 6)
        life.tail.watch_starts()
        assert life.again().state.holes == ((0, "log_start_moved"),)
        heard = read_to_end(life.tail)
        assert heard.holes == [(0, "log_start_moved")]
        assert heard.offsets() == {0: [6, 7, 8]}
        assert read_to_end(life.again()).holes == []


class TestOtherTopics:
    def test_one_that_is_gone_is_waited_for_as_while_it_was_read(
        self, cluster: Cluster, tail_of: Tails, life_of: Lives
    ):
        family = Family()
        a, gone = family.topic("a"), family.topic("gone")
        cluster.create_named(a, 1)
        cluster.produce(a, numbered(4))
        life = life_of(cluster, family.selection())
        read_until(opened(life.tail), 4)
        known = life.table[0]
        life.table.slot(dataclasses.replace(known, topic=gone, topic_id=gone, logical_topic="gone"))
        life.again(lambda state: dataclasses.replace(state, positions={0: 4, 1: 7}))
        assert (life.tail.positions, life.tail.topics) == ({0: 4, 1: 7}, {a: "a", gone: "gone"})
        cluster.produce(a, numbered(2, 1, 4))
        assert read_until(life.tail, 2).offsets() == {0: [4, 5]}
        life.again()
        life.tail.retire_topics({gone})
        life.again()
        heard = read_to_end(life.tail)
        assert (life.tail.positions, life.tail.retired) == ({0: 6}, {1})
        assert heard.holes == [(1, "topic_deleted")]
        assert life.tail.beginnings[1].offset == 7

    @pytest.mark.kafka
    def test_one_that_was_created_again(self, kafka_cluster: KafkaContractCluster, life_of: Lives):
        topic, other = kafka_cluster.create_topic(2), kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, numbered(20, 2))
        kafka_cluster.produce(other, numbered(5))
        life = life_of(kafka_cluster, {topic: "payments", other: "refunds"})
        read_until(opened(life.tail), 25)
        before = life.tail.slots
        kafka_cluster.create_again(topic, 1)
        kafka_cluster.produce(topic, numbered(3))
        life.again()
        heard = read_until(life.tail, 3)
        old = {before[topic, 0], before[topic, 1]}
        assert heard.offsets() == {life.slot(topic): [0, 1, 2]}
        assert sorted(heard.holes) == [(slot, "topic_recreated") for slot in sorted(old)]
        assert life.tail.positions == {life.slot(topic): 3, life.slot(other): 5}
        assert {life.tail.beginnings[slot].offset for slot in old} == {10}
        assert life.tail.beginnings[life.slot(topic)] == Beginning(0, None)
        ended = {slot: life.tail.beginnings[slot] for slot in old}
        for _ in range(2):
            heard = read_to_end(life.again())
            assert (life.tail.retired, heard.holes, heard.records) == (old, [], {})
            assert {slot: life.tail.beginnings[slot] for slot in old} == ended

    @pytest.mark.kafka
    def test_one_that_is_known_by_its_name_stays_so(
        self, kafka_cluster: KafkaContractCluster, life_of: Lives
    ):
        topic = kafka_cluster.create_topic(1)
        kafka_cluster.produce(topic, numbered(5))
        life, ends = life_of(kafka_cluster, {topic: "payments"}), EndOffsets(settings_of(kafka_cluster))
        life.table.slot(Partition(LOG, ends.cluster_id(), topic, topic, "payments", 0))
        ends.close()
        life.kill(lambda _: TailState({0: 3}, {0: Beginning(0, None)}, frozenset(), {}))
        heard = read_until(opened(life.tail, life.state), 2)
        assert (heard.offsets(), heard.holes) == ({0: [3, 4]}, [])

    def test_where_ids_were_told_they_are_waited_for(self, mock_cluster: Cluster, life_of: Lives):
        topic = mock_cluster.create_topic(1)
        life = life_of(mock_cluster, {topic: "payments"})
        life.table.slot(Partition(LOG, "a", "an id", topic, "payments", 0))
        life.kill(lambda _: TailState({0: 3}, {0: Beginning(0, None)}, frozenset(), {}))
        for _ in range(2):
            with pytest.raises(BrokersUnreachableError, match=r": no controller$"):
                life.tail.open(life.state)
            assert life.tail.state == life.state
