"""Payments sent with timestamps of the test's choice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from confluent_kafka import KafkaError, Producer

from support.broker import Broker
from support.payments import Payment, key_of, now_ms

Headers = list[tuple[str, str | bytes | None]]


def payments(first: int, count: int, partitions: int, since_ms: int | None = None) -> list[Payment]:
    """New payments, a millisecond apart from `since_ms` (now) on, dealt out to the partitions in turn."""
    begin = now_ms() if since_ms is None else since_ms
    return [Payment(first + n, 1 + n % 999, n % partitions, begin + n) for n in range(count)]


def later(sent: Iterable[Payment], by_ms: int) -> list[Payment]:
    """The same payments, stamped later."""
    return [replace(payment, timestamp=payment.timestamp + by_ms) for payment in sent]


def send(broker: Broker, topic: str, what: Iterable[Payment], headers: Headers | None = None) -> None:
    """Send payments in this order and wait for all acknowledgements. Raises when the broker refused one."""
    refused: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 5})
    for payment in what:
        producer.produce(
            topic,
            payment.value(),
            key=key_of(payment),
            partition=payment.partition,
            timestamp=payment.timestamp,
            headers=headers or [],
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert refused == []
