from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message

from dupscope.kafka.portions import Portions


class Queue:
    """Gives what a client has fetched; a wait for more takes its whole time."""

    def __init__(self, clock, *messages: Message) -> None:
        self._clock = clock
        self._messages = list(messages)

    def consume(self, count: int, timeout: float) -> list[Message]:
        taken, self._messages = self._messages[:count], self._messages[count:]
        if len(taken) < count:
            self._clock.sleep(timeout)
        return taken


def record(offset: int) -> Message:
    return Message(topic="t", partition=0, offset=offset, value=b"v")


END = Message(topic="t", partition=0, offset=9, error=KafkaError(KafkaError._PARTITION_EOF))


def offsets(portions) -> list[int]:
    return [message.offset() for messages in portions for message in messages]


class TestPortions:
    def test_no_more_than_asked_for(self, clock):
        queue = Queue(clock, *map(record, range(10)))
        assert offsets(Portions(None, clock).take(queue, 4, 1.0, at_end=False)) == [0, 1, 2, 3]
        assert clock.seconds == 100

    def test_time_bounds_the_wait(self, clock):
        queue = Queue(clock, record(0))
        assert offsets(Portions(None, clock).take(queue, 4, 0.5, at_end=False)) == [0]
        assert clock.seconds == pytest.approx(100.5, abs=0.03)

    def test_an_event_at_the_end_of_a_portion_ends_the_wait(self, clock):
        queue = Queue(clock, record(0), END)
        assert offsets(Portions(None, clock).take(queue, 9, 5.0, at_end=False)) == [0, 9]
        assert clock.seconds < 100.1

    def test_at_the_end_the_first_record_ends_it_with_those_that_came_along(self, clock):
        queue = Queue(clock, *map(record, range(3)))
        assert offsets(Portions(None, clock).take(queue, 9, 5.0, at_end=True)) == [0, 1, 2]
        assert clock.seconds < 100.1

    def test_at_the_end_and_idle_it_waits_once(self, clock):
        assert offsets(Portions(None, clock).take(Queue(clock), 9, 5.0, at_end=True)) == []
        assert clock.seconds == 105

    def test_a_rate_bounds_what_is_taken(self, clock):
        portions, queue = Portions(2, clock), Queue(clock, *map(record, range(9)))
        assert offsets(portions.take(queue, 9, 1.0, at_end=False)) == [0, 1]
        assert offsets(portions.take(queue, 9, 0.1, at_end=False)) == []
        assert clock.seconds == pytest.approx(100.1)
        clock.sleep(0.5)
        assert offsets(portions.take(queue, 9, 0.0, at_end=False)) == [2]
