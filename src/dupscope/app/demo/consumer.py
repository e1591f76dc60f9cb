"""The demo's consumer: charges each payment, writes its audit line, and commits after every few hundred.

Killed between the charges and the commit, it reads the uncommitted records again when it comes back, and
charges them again. At-least-once delivery is exactly this.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from confluent_kafka import Consumer, Message, TopicPartition

from dupscope.app.demo.charges import ChargeClient
from dupscope.app.demo.lists import append, place_of, settings_of

BATCH = 100
POLL_SECONDS = 0.1
SESSION_MS = 3500
"""Just above the 3 s for which a mock cluster holds back the first join of a group."""


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """`audit` is the file that dupscope follows; offsets are committed after every `commit_every` records.

    It kills itself (-9) after `die_after` records; with 0 it runs until SIGTERM.
    """

    bootstrap: str
    cluster: str
    topic: str
    group: str
    charges: str
    audit: str
    commit_every: int
    die_after: int


class ChargingConsumer:
    """Charges until stopped."""

    def __init__(self, settings: ConsumerSettings, audit: TextIO) -> None:
        self._settings = settings
        self._audit = audit
        self._client = ChargeClient(settings.charges)
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap,
                "group.id": settings.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 300,
            }
        )
        self._uncommitted: dict[int, int] = {}
        self._done = 0
        self._stopping = False

    def stop(self) -> None:
        """End `run` after the records at hand."""
        self._stopping = True

    def run(self) -> None:
        """Charge what the group has not committed yet, and whatever comes."""
        self._consumer.subscribe([self._settings.topic])
        while not self._stopping:
            for message in self._consumer.consume(BATCH, POLL_SECONDS):
                if message.error() is None:
                    self._charge(message)
        self._commit()
        self._consumer.close()

    def _charge(self, message: Message) -> None:
        payment = json.loads(message.value() or b"")
        number, offset = place_of(message)
        charge_id = self._client.charge(payment["payment_id"], payment["amount"], f"{number}/{offset}")
        append(self._audit, self._audit_line(payment["payment_id"], number, offset, charge_id))
        self._uncommitted[number] = offset + 1
        self._done += 1
        if self._done == self._settings.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._done % self._settings.commit_every == 0:
            self._commit()

    def _audit_line(self, payment_id: str, number: int, offset: int, charge_id: str) -> Mapping[str, object]:
        return {
            "key": payment_id,
            "cluster": self._settings.cluster,
            "topic": self._settings.topic,
            "partition": number,
            "offset": offset,
            "group": self._settings.group,
            "member": f"{self._settings.group}-{os.getpid()}",
            "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "effect_id": charge_id,
            "outcome": "succeeded",
        }

    def _commit(self) -> None:
        """Commit exactly what was charged."""
        if self._uncommitted:
            topic = self._settings.topic
            offsets = [TopicPartition(topic, number, at) for number, at in self._uncommitted.items()]
            self._consumer.commit(offsets=offsets, asynchronous=False)
            self._uncommitted.clear()


def main() -> None:
    """Charge until SIGTERM, or until the planned death."""
    settings = settings_of(ConsumerSettings)
    with Path(settings.audit).open("a", encoding="utf-8") as audit:
        consumer = ChargingConsumer(settings, audit)
        signal.signal(signal.SIGTERM, lambda _number, _frame: consumer.stop())
        consumer.run()


if __name__ == "__main__":
    main()
