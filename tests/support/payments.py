"""An application that produces payments and, knowingly, some of them again; it keeps count of those."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from confluent_kafka import Producer


class Plan(StrEnum):
    """What an application can do with one record."""

    NEW = "new"
    AT_ONCE = "the same record again, timestamp included"
    BESIDE = "the same record again at once, timestamp included, in another partition"
    LATER = "the same payload again, later"
    ELSEWHERE = "the same payload again, later, in another partition"
    OTHER_AMOUNT = "the same payment with another amount"
    OTHER_SPELLING = "the same payment with its number as a string"
    NO_KEY = "a record without a business key"


WEIGHTS = {
    Plan.NEW: 970,
    Plan.AT_ONCE: 6,
    Plan.BESIDE: 3,
    Plan.LATER: 10,
    Plan.ELSEWHERE: 4,
    Plan.OTHER_AMOUNT: 6,
    Plan.OTHER_SPELLING: 2,
    Plan.NO_KEY: 2,
}
CONFLICTING = {Plan.OTHER_AMOUNT, Plan.OTHER_SPELLING}
AT_ONCE = {Plan.AT_ONCE, Plan.BESIDE}
UNKEYED = (None, b"not json", b'{"amount": 5}', b'{"payment_id": null}')


@dataclass(frozen=True)
class Payment:
    """One record as it was sent. `timestamp` in milliseconds."""

    number: int
    amount: int
    partition: int
    timestamp: int

    def value(self) -> bytes:
        return json.dumps({"payment_id": self.number, "amount": self.amount}).encode()


class PaymentProducer:
    """Produces with `enable.idempotence`, which is of no help against an application that sends twice."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        draw: random.Random,
        weights: Mapping[Plan, int] = WEIGHTS,
    ) -> None:
        self._weights = weights
        self._topic = topic
        self._partitions = partitions
        self._draw = draw
        self._sent: list[Payment] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5}
        )
        self.planted: Counter[str] = Counter()
        """Records by plan. Everything but new and keyless is one produce duplicate."""

    @property
    def total(self) -> int:
        return sum(self.planted.values())

    @property
    def duplicates(self) -> dict[str, int]:
        """Produce duplicates by kind."""
        counts = {"identical": 0, "conflicting": 0}
        for plan, count in self.planted.items():
            if plan not in {Plan.NEW, Plan.NO_KEY}:
                counts["conflicting" if plan in CONFLICTING else "identical"] += count
        return counts

    def produce(self, count: int) -> None:
        """Send `count` more records, planned by chance, and wait for all acknowledgements.

        The first is new: a record equal to another in all that a mirror preserves follows it within one call.
        """
        plans = self._draw.choices(list(self._weights), list(self._weights.values()), k=count)
        self._do(Plan.NEW)
        for plan in plans[1:]:
            self._do(plan)
        self._flush()

    def finish(self) -> None:
        """One new payment for every partition, so that each ends with a record that has a key."""
        for partition in range(self._partitions):
            self._new(partition)
        self._flush()

    def _flush(self) -> None:
        unsent = self._producer.flush(30)
        assert unsent == 0, f"{unsent} records were not acknowledged"

    def _do(self, plan: Plan) -> None:
        if plan is Plan.NEW:
            self._new(self._draw.randrange(self._partitions))
            return
        self.planted[plan] += 1
        if plan is Plan.NO_KEY:
            self._send(self._draw.choice(UNKEYED), b"", self._draw.randrange(self._partitions), now_ms())
            return
        payment = self._sent[-1] if plan in AT_ONCE else self._draw.choice(self._sent)
        self._again(plan, payment)

    def _new(self, partition: int) -> None:
        payment = Payment(len(self._sent), self._draw.randrange(1, 1000), partition, now_ms())
        self._sent.append(payment)
        self.planted[Plan.NEW] += 1
        self._send(payment.value(), key_of(payment), partition, payment.timestamp)

    def _again(self, plan: Plan, payment: Payment) -> None:
        """A repeated record is later than its original by its timestamp, or equal to it in every way."""
        partition, value = payment.partition, payment.value()
        if plan in {Plan.ELSEWHERE, Plan.BESIDE}:
            partition = (partition + 1) % self._partitions
        elif plan is Plan.OTHER_AMOUNT:
            value = json.dumps({"payment_id": payment.number, "amount": payment.amount + 1}).encode()
        elif plan is Plan.OTHER_SPELLING:
            value = json.dumps({"payment_id": str(payment.number), "amount": payment.amount}).encode()
        later = max(now_ms(), payment.timestamp + 1)
        timestamp = payment.timestamp if plan in AT_ONCE else later
        self._send(value, key_of(payment), partition, timestamp)

    def _send(self, value: bytes | None, key: bytes, partition: int, timestamp: int) -> None:
        self._producer.produce(self._topic, value, key=key, partition=partition, timestamp=timestamp)
        self._producer.poll(0)


def key_of(payment: Payment) -> bytes:
    return str(payment.number).encode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000
