"""Appending to a topic, and the list of what was acknowledged there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from support.dump import Dumped

ACKNOWLEDGED_SECONDS = 60


class Draft(NamedTuple):
    """A record that has no offset yet. `timestamp` in milliseconds."""

    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Writer:
    """The only one that writes to its topic. `log` has what lies there, in the order of writing."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self.log: list[Dumped] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 0, "log_level": 2}
        )

    def append(self, drafts: Sequence[Draft]) -> list[Dumped]:
        """Write records and wait until all are acknowledged. Raises where one was refused."""
        offsets: dict[int, int] = {}
        refused: list[KafkaError] = []
        for number, draft in enumerate(drafts):
            self._producer.produce(
                self.topic,
                draft.value,
                draft.key,
                draft.partition,
                timestamp=draft.timestamp,
                on_delivery=partial(_noted, number, offsets, refused),
            )
        unsent = self._producer.flush(ACKNOWLEDGED_SECONDS)
        if unsent or refused:
            raise RuntimeError(f"{self.topic}: {unsent} records without an answer, refused: {refused[:3]}")
        written = [
            Dumped(self.topic, draft.partition, offsets[number], draft.timestamp, draft.key, draft.value)
            for number, draft in enumerate(drafts)
        ]
        self.log += written
        return written


def _noted(
    number: int,
    offsets: dict[int, int],
    refused: list[KafkaError],
    error: KafkaError | None,
    message: Message,
) -> None:
    if error is not None:
        refused.append(error)
    else:
        offsets[number] = message.offset()
