"""A sink in a process of its own that charges into Postgres: one row of one table for each side effect.

Run as a program. With --die-after N it kills itself (-9) at the Nth record, between INSERT and COMMIT: that
row is never there, and what it charged since it committed its offsets will be charged again. SIGTERM makes it
commit and leave.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import psycopg
from confluent_kafka import Message

from support.sink_consumer import commit, joined, key_of

INSERT = """
INSERT INTO charges (payment_id, cluster, topic, partition, "offset", "group", effect_id)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--topic", "--group", "--cluster", "--key", "--conninfo"):
        parser.add_argument(name, required=True)
    parser.add_argument("--commit-every", type=int, default=500)
    parser.add_argument("--die-after", type=int, default=0)
    return parser.parse_args()


def charge(options: argparse.Namespace, database: psycopg.Connection, message: Message, done: int) -> None:
    """One row in a transaction of its own, if the record has a key at all."""
    key = key_of(message.value(), options.key)
    if key is not None:
        where = (options.cluster, message.topic(), message.partition(), message.offset(), options.group)
        database.execute(INSERT, (str(key), *where, f"ch_{os.getpid()}_{done}"))
    if done == options.die_after:
        os.kill(os.getpid(), signal.SIGKILL)
    database.commit()


def main() -> None:
    options = arguments()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    uncommitted: dict[tuple[str, int], int] = {}
    done = 0
    consumer = joined(options)
    with psycopg.connect(options.conninfo) as database:
        while not stopping:
            for message in consumer.consume(num_messages=100, timeout=0.2):
                if message.error() is not None:
                    sys.stderr.write(f"{message.error()}\n")
                    continue
                done += 1
                charge(options, database, message, done)
                uncommitted[message.topic(), message.partition()] = message.offset() + 1
                if done % options.commit_every == 0:
                    commit(consumer, uncommitted)
    commit(consumer, uncommitted)
    consumer.close()


if __name__ == "__main__":
    main()
