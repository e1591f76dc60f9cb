from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer

from dupscope.kafka.assignment import Assignment
from dupscope.kafka.client import ClientLogger, consumer, silent
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.incarnations import Incarnations
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.state import TailState
from dupscope.kafka.topics import Incarnation
from dupscope.model.position import PartitionTable
from support.mock import MockCluster
from support.waiting import wait_until

NOW_MS = 100_000
"""What the fixture's clock says."""


class Reading:
    """An assignment of one topic's partitions, all taken up from the start."""

    def __init__(self, settings: ClusterSettings, clock, topic: str) -> None:
        self.client = consumer(settings, ClientLogger(settings, silent))
        self.incarnations = Incarnations(0, PartitionTable())
        self.assignment = Assignment(self._client, settings, self.incarnations, clock)
        self.topic = topic

    def _client(self) -> Consumer:
        return self.client

    def take(self, topic_id: str, *numbers: int) -> list[int]:
        slots = list(
            self.incarnations.number("c", self.topic, "payments", Incarnation(topic_id, list(numbers)))
        )
        for slot in slots:
            self.incarnations.take(slot)
        return slots

    def next_offset(self) -> int:
        """Of the next record that the client gives."""
        found = wait_until(
            lambda: [m for m in self.client.consume(1, 0.1) if m.error() is None], 20, "a record", poll=0
        )
        return found[0].offset()


@pytest.fixture
def reading(mock: MockCluster, settings: ClusterSettings, clock) -> Iterator[Reading]:
    topic = f"assigned-{uuid.uuid4().hex}"
    mock.create_topic(topic, 2)
    mock.produce(topic, [(0, b"k", b"v")] * 9)
    made = Reading(settings, clock, topic)
    yield made
    made.client.close()


class TestBegun:
    def test_recreated_topics_begin_at_0_and_others_at_the_start(self, reading: Reading):
        slots = reading.take("id", 0, 1)
        begun = reading.assignment.begun(slots, set(), Start("latest"))
        assert begun == {0: Beginning(9, NOW_MS), 1: Beginning(0, None)}
        begun = reading.assignment.begun(slots, {reading.topic}, Start("latest"))
        assert begun == {0: Beginning(0, None), 1: Beginning(0, None)}


class TestAssign:
    def test_slots_are_fetched_from_their_offsets(self, reading: Reading):
        reading.take("id", 0)
        reading.assignment.assign({0: 4})
        assert reading.assignment.progress.positions == {0: 4}
        assert reading.next_offset() == 4
        reading.assignment.ask_client()
        assert reading.assignment.progress.positions == {0: 5}

    def test_nothing_to_assign_asks_nobody(self, reading: Reading):
        reading.assignment.assign({})
        assert reading.assignment.progress.positions == {}


class TestState:
    def test_another_stands_where_this_one_stood(
        self, reading: Reading, settings: ClusterSettings, clock, mock: MockCluster
    ):
        (slot,) = reading.take("id", 0)
        reading.assignment.assign({slot: 4})
        reading.assignment.retire({7: 5}, "topic_deleted")
        reading.assignment.beginnings[slot] = Beginning(4, 70, provisional=True)
        state = reading.assignment.state({slot}, was_opened=True)
        assert state == TailState(
            {slot: 4},
            {slot: Beginning(4, 70, provisional=True), 7: Beginning(5, NOW_MS)},
            frozenset({7}),
            {},
            {},
            frozenset({slot}),
            ((7, "topic_deleted"),),
        )
        other = Reading(settings, clock, reading.topic)
        other.assignment.resume(state)
        assert other.assignment.state({slot}, was_opened=True) == state
        other.take("id", 0)
        other.assignment.assign({}, [slot])
        assert other.next_offset() == 4
        other.client.close()

    def test_it_does_not_change_when_reading_goes_on(self, reading: Reading):
        (slot,) = reading.take("id", 0)
        reading.assignment.assign({slot: 4})
        state = reading.assignment.state((), was_opened=True)
        reading.assignment.retire({slot: 4}, "topic_deleted")
        assert (state.positions, state.beginnings, state.retired, state.holes) == (
            {0: 4},
            {},
            frozenset(),
            (),
        )


class TestRetire:
    def test_a_new_incarnation_begins_at_0_whatever_the_client_had_passed(self, reading: Reading):
        (old,) = reading.take("old", 0)
        reading.assignment.assign({old: 4})
        reading.next_offset()
        reading.assignment.retire({old: 5}, "topic_recreated")
        (new,) = reading.take("new", 0)
        reading.assignment.assign({new: 0})
        reading.assignment.ask_client()
        assert reading.assignment.progress.positions == {new: 0}
        assert reading.assignment.beginnings == {old: Beginning(5, NOW_MS)}
        assert reading.assignment.holes == [(old, "topic_recreated")]
        assert reading.next_offset() == 0

    def test_a_position_that_was_lost_is_no_longer(self, reading: Reading):
        reading.take("old", 0)
        reading.assignment.assign({0: 50})
        reading.assignment.lost[0] = 50
        reading.assignment.retire({0: 50}, "topic_recreated")
        assert reading.assignment.lost == {}


class TestLostPositions:
    def test_what_is_held_is_asked_for_now(self, reading: Reading, mock: MockCluster):
        reading.take("id", 0, 1)
        mock.delete_records(reading.topic, 0, 3)
        assert reading.assignment.held([1, 0]) == {0: (3, 9), 1: (0, 0)}

    @pytest.mark.parametrize(
        ("expected", "position", "held"),
        [
            (Beginning(6, NOW_MS, provisional=True), 3, (6, 9)),
            (Beginning(9, NOW_MS), 3, (9, 9)),
            (Beginning(9, NOW_MS), 20, (0, 9)),
        ],
        ids=["below the start", "nothing is left", "beyond the end"],
    )
    def test_reading_goes_on_at_the_nearest_offset(self, reading: Reading, expected, position, held):
        reading.take("id", 0)
        reading.assignment.assign({0: position})
        reading.assignment.lost[0] = position
        reading.assignment.recover({0: held})
        assert reading.assignment.beginnings == {0: expected}
        assert reading.assignment.progress.positions == {0: expected.offset}
        assert reading.assignment.lost == {}
        assert reading.assignment.holes == [(0, "offset_out_of_range")]

    def test_a_position_that_the_log_holds_again_is_lost_all_the_same(self, reading: Reading):
        reading.take("id", 0)
        reading.assignment.assign({0: 4})
        reading.assignment.lost[0] = 4
        reading.assignment.recover({0: (0, 9)})
        assert reading.assignment.holes == [(0, "offset_out_of_range")]
        assert reading.assignment.beginnings == {0: Beginning(4, NOW_MS)}

    def test_where_the_log_was_cut_and_grew_again_the_position_is_lost(self, reading: Reading):
        reading.take("id", 0)
        reading.assignment.assign({0: 4})
        reading.assignment.lose(0, None)
        reading.assignment.recover({0: (0, 9)})
        assert reading.assignment.holes == [(0, "offset_out_of_range")]
        assert reading.assignment.beginnings == {0: Beginning(4, NOW_MS)}

    @pytest.mark.parametrize("failed", [0, 50])
    def test_the_failure_of_a_fetch_that_was_given_up_harms_nothing(self, reading: Reading, failed: int):
        reading.take("id", 0)
        reading.assignment.assign({0: 4})
        reading.assignment.lose(0, failed)
        reading.assignment.recover({0: (3, 9)})
        assert (reading.assignment.lost, reading.assignment.holes) == ({}, [])
        assert (reading.assignment.beginnings, reading.assignment.progress.positions) == ({}, {0: 4})
        assert reading.next_offset() == 4

    def test_slots_behind_the_log_start_skip_to_it_and_others_stay(self, reading: Reading):
        reading.take("id", 0, 1)
        reading.assignment.assign({0: 3, 1: 0})
        held = {0: (6, 9), 1: (0, 0)}
        assert reading.assignment.behind(held) == {0}
        reading.assignment.skip(held)
        assert reading.assignment.progress.positions == {0: 6, 1: 0}
        assert reading.assignment.holes == [(0, "log_start_moved")]
        assert set(reading.assignment.beginnings) == {0}

    def test_a_retired_slot_is_not_behind(self, reading: Reading):
        reading.take("id", 0)
        reading.assignment.assign({0: 3})
        reading.assignment.retire({0: 3}, "topic_recreated")
        assert reading.assignment.behind({0: (6, 9)}) == set()

    def test_nobody_answering_passes(self, nowhere: ClusterSettings, clock):
        reading = Reading(nowhere, clock, "t")
        reading.take("id", 0)
        with pytest.raises(BrokersUnreachableError):
            reading.assignment.held([0])
        reading.client.close()
