"""The cluster that every contestant reads, and its records: one process, one core.

Usage: cluster.py CORE RECORDS. Prints one JSON object with `bootstrap` and `topics` when everything is
written, and ends when its standard input does. A mock partition holds 5 MiB and 100,000 batches: hence many
partitions, and lz4.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Producer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.mock import MockCluster

PARTITIONS = 64
VALUE_BYTES = 200
REPEATED_EVERY = 1000
"""One key in so many occurs twice."""

HEADERS = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
TOPICS = {"payments": None, "payments-with-header": HEADERS}


def payments(records: int) -> Iterator[bytes]:
    """Values: payments with a key of their own, an amount and filling that does not compress to nothing."""
    draw = random.Random(7)
    for number in range(records):
        fact = number - REPEATED_EVERY if number and number % REPEATED_EVERY == 0 else number
        head = f'{{"payment_id":"p-{fact:012d}","amount":{number % 997},"currency":"EUR","note":"'
        yield (head + f"{draw.getrandbits(128):032x}".ljust(VALUE_BYTES - len(head) - 2, "-") + '"}').encode()


def fill(bootstrap: str, topic: str, records: int, headers: list[tuple[str, bytes]] | None) -> None:
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "linger.ms": 50,
            "queue.buffering.max.messages": 500_000,
        }
    )
    start_ms = int(time.time() * 1000) - 60_000
    for number, value in enumerate(payments(records)):
        key, partition, stamp = b"c-%06d" % (number % 100_000), number % PARTITIONS, start_ms + number // 100
        while True:
            try:
                producer.produce(topic, value, key, partition, timestamp=stamp, headers=headers)
                break
            except BufferError:
                producer.poll(0.05)
    assert producer.flush(60) == 0, "the mock cluster did not take all records"


def main() -> None:
    core, records = int(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {core})
    with MockCluster() as cluster:
        for topic, headers in TOPICS.items():
            cluster.create_topic(topic, PARTITIONS)
            fill(cluster.bootstrap_servers, topic, records, headers)
        print(json.dumps({"bootstrap": cluster.bootstrap_servers, "topics": list(TOPICS)}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
