"""A stand-in mirror: copies one topic from cluster to cluster as MirrorMaker does. It is not MirrorMaker.

It keeps partition, timestamp, key, value and headers, and stores its offsets only now and then. Killed in
between and started again, it goes on from the offsets stored last, so it copies the records since then twice.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from dupscope.app.demo.clusters import PARTITIONS
from dupscope.app.demo.lists import append, place_of, settings_of

BATCH = 100
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """`offsets` is its store, `copied` its own list; offsets are stored after every `store_every` records.

    It kills itself (-9) after `die_after` records; with 0 it runs until SIGTERM.
    """

    source: str
    destination: str
    topic: str
    copy: str
    offsets: str
    copied: str
    store_every: int
    die_after: int


class Mirror:
    """Copies until stopped."""

    def __init__(self, settings: MirrorSettings, copied: TextIO) -> None:
        self._settings = settings
        self._copied = copied
        self._offsets = _stored(Path(settings.offsets))
        self._producer = Producer({"bootstrap.servers": settings.destination, "enable.idempotence": True})
        self._consumer = Consumer(
            {"bootstrap.servers": settings.source, "group.id": "stand-in-mirror", "enable.auto.commit": False}
        )
        self._done = 0
        self._stopping = False

    def stop(self) -> None:
        """End `run` after the records at hand."""
        self._stopping = True

    def run(self) -> None:
        """Copy from where the stored offsets say."""
        self._consumer.assign(
            [TopicPartition(self._settings.topic, number, at) for number, at in self._offsets.items()]
        )
        while not self._stopping:
            for message in self._consumer.consume(BATCH, POLL_SECONDS):
                if message.error() is None:
                    self._copy(message)
            self._producer.flush()
        self._consumer.close()

    def _copy(self, message: Message) -> None:
        number, offset = place_of(message)
        self._producer.produce(
            self._settings.copy,
            message.value(),
            message.key(),
            number,
            on_delivery=partial(self._note, message),
            timestamp=message.timestamp()[1],
            headers=message.headers(),
        )
        self._offsets[number] = offset + 1
        self._done += 1
        if self._done % self._settings.store_every == 0:
            self._producer.flush()
            Path(self._settings.offsets).write_text(json.dumps(self._offsets))
        if self._done == self._settings.die_after:
            self._producer.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, original: Message, error: KafkaError | None, made: Message) -> None:
        """List a copy that the destination has acknowledged."""
        if error is not None:
            raise RuntimeError(f"partition {original.partition()} offset {original.offset()}: {error}")
        (number, offset), (copy_number, copy_offset) = place_of(original), place_of(made)
        line = {"partition": number, "offset": offset}
        append(self._copied, {**line, "copy_partition": copy_number, "copy_offset": copy_offset})


def _stored(path: Path) -> dict[int, int]:
    """Next offset by partition, as stored; from the beginning where nothing is."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    return {number: stored.get(str(number), 0) for number in range(PARTITIONS)}


def main() -> None:
    """Copy until SIGTERM, or until the planned death."""
    settings = settings_of(MirrorSettings)
    with Path(settings.copied).open("a", encoding="utf-8") as copied:
        mirror = Mirror(settings, copied)
        signal.signal(signal.SIGTERM, lambda _number, _frame: mirror.stop())
        mirror.run()


if __name__ == "__main__":
    main()
