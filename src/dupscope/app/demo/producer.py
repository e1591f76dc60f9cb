"""The demo's producer: idempotent, and yet it sends some payments twice.

The broker drops repeats of a *request*. When the application gives up waiting and calls `produce` again, that
is a new request with a new sequence number, and the broker cannot know.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from confluent_kafka import KafkaError, Message, Producer

from dupscope.app.demo.lists import append, place_of, settings_of

BATCH = 100
CUSTOMERS = 400
LEAST_CENTS, MOST_CENTS = 199, 9_999


@dataclass(frozen=True, slots=True)
class ProducerSettings:
    """`sent` is the producer's own list; `resent` says how many payments the application sends again."""

    bootstrap: str
    topic: str
    sent: str
    payments: int
    resent: int
    seed: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment; the amount is in cents."""

    payment_id: str
    amount: int
    customer: str

    def value(self) -> bytes:
        """The record's value."""
        return json.dumps(
            {"payment_id": self.payment_id, "amount": self.amount, "customer": self.customer}
        ).encode()


def payments(count: int, draw: random.Random) -> list[Payment]:
    """Payments of many customers, some of whom pay more than once."""
    return [
        Payment(f"p-{number:05}", draw.randint(LEAST_CENTS, MOST_CENTS), f"c-{draw.randrange(CUSTOMERS):03}")
        for number in range(1, count + 1)
    ]


def send_all(settings: ProducerSettings, sent: TextIO) -> None:
    """Send every payment, and after each batch those again for which the application gave up waiting."""
    draw = random.Random(settings.seed)
    every = payments(settings.payments, draw)
    given_up = set(draw.sample(every, settings.resent))
    producer = Producer({"bootstrap.servers": settings.bootstrap, "enable.idempotence": True})
    for start in range(0, len(every), BATCH):
        batch = every[start : start + BATCH]
        _send(producer, settings.topic, batch, partial(_note, sent, again=False))
        again = [payment for payment in batch if payment in given_up]
        _send(producer, settings.topic, again, partial(_note, sent, again=True))


def _send(producer: Producer, topic: str, batch: list[Payment], note: partial[None]) -> None:
    for payment in batch:
        acknowledged = partial(note, payment.payment_id)
        producer.produce(topic, payment.value(), payment.customer, on_delivery=acknowledged)
    producer.flush()


def _note(sent: TextIO, payment_id: str, error: KafkaError | None, message: Message, *, again: bool) -> None:
    """List what the broker has acknowledged, with its position."""
    if error is not None:
        raise RuntimeError(f"{payment_id} was not sent: {error}")
    number, offset = place_of(message)
    append(sent, {"payment_id": payment_id, "partition": number, "offset": offset, "again": again})


def main() -> None:
    """Send everything and end."""
    settings = settings_of(ProducerSettings)
    with Path(settings.sent).open("a", encoding="utf-8") as sent:
        send_all(settings, sent)


if __name__ == "__main__":
    main()
