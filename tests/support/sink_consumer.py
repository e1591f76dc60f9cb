"""A sink in a process of its own: charges for every record, lists its charges, writes audit lines, commits.

Run as a program. Its list of charges is the independent truth about side effects; the audit lines, in a file
or a topic, are what an application would write for others to read. With --die-after N it kills itself (-9)
after the side effects of N records, before it commits them. SIGTERM makes it commit and leave. With --dedup
it charges once for each key and commits whenever there is nothing to read; with --no-positions its audit
lines do not name the record.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from confluent_kafka import Consumer, Message, Producer, TopicPartition


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--bootstrap", "--topic", "--group", "--cluster", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--charges", required=True, type=Path)
    parser.add_argument("--audit", type=Path)
    parser.add_argument("--audit-bootstrap")
    parser.add_argument("--audit-topic")
    parser.add_argument("--commit-every", type=int, default=500)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--dedup", action="store_true")
    parser.add_argument("--no-positions", action="store_true")
    return parser.parse_args()


class AuditTopic:
    """Lines as records, each acknowledged before the next: a kill loses none."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._topic = options.audit_topic
        self._producer = Producer({"bootstrap.servers": options.audit_bootstrap, "linger.ms": 0})

    def write(self, line: str) -> None:
        self._producer.produce(self._topic, line.encode())

    def flush(self) -> None:
        self._producer.flush()


class Sink:
    """Charges, then tells the audit log. Both are flushed for each record: a kill loses neither."""

    def __init__(self, options: argparse.Namespace, charges: TextIO, audit: TextIO | AuditTopic) -> None:
        self._options = options
        self._charges = charges
        self._audit = audit
        self._member = f"{options.group}-{os.getpid()}"
        self._charged = charged_before(options.charges) if options.dedup else None

    def act(self, message: Message) -> None:
        """One charge, if the record has a key at all."""
        key = key_of(message.value(), self._options.key)
        if key is None or (self._charged is not None and str(key) in self._charged):
            return
        if self._charged is not None:
            self._charged.add(str(key))
        position = {
            "cluster": self._options.cluster,
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
        }
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        charge = {"key": key, "at": now, "effect_id": f"ch_{uuid.uuid4().hex}"}
        write_line(self._charges, {**charge, **position})
        told = charge if self._options.no_positions else {**charge, **position}
        write_line(self._audit, {**told, **self._audit_fields()})

    def _audit_fields(self) -> dict[str, object]:
        return {"group": self._options.group, "member": self._member, "outcome": "succeeded"}


def charged_before(charges: Path) -> set[str]:
    """The keys in its own list, as text: a number and that number as a string are one key."""
    return {str(json.loads(line)["key"]) for line in charges.read_text().splitlines()}


def key_of(value: bytes | None, name: str) -> object:
    """The business key as the record has it, None where a sink can do nothing with the record."""
    try:
        document = json.loads(value or b"null")
    except ValueError:
        return None
    return document.get(name) if isinstance(document, dict) else None


def write_line(file: TextIO | AuditTopic, fields: dict[str, object]) -> None:
    file.write(json.dumps(fields) + "\n")
    file.flush()


def consume(options: argparse.Namespace, sink: Sink) -> None:
    """Read and act until SIGTERM; commits after every so many records and at the end."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    consumer = joined(options)
    done = 0
    uncommitted: dict[tuple[str, int], int] = {}
    while not stopping:
        messages = consumer.consume(num_messages=100, timeout=0.2)
        if options.dedup and not messages:
            commit(consumer, uncommitted)
        for message in messages:
            if message.error() is not None:
                sys.stderr.write(f"{message.error()}\n")
                continue
            sink.act(message)
            uncommitted[message.topic(), message.partition()] = message.offset() + 1
            done += 1
            if done == options.die_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if done % options.commit_every == 0:
                commit(consumer, uncommitted)
    commit(consumer, uncommitted)
    consumer.close()


def joined(options: argparse.Namespace) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 3000,
            "heartbeat.interval.ms": 500,
        }
    )
    consumer.subscribe([options.topic])
    return consumer


def commit(consumer: Consumer, uncommitted: dict[tuple[str, int], int]) -> None:
    """Commit exactly what was acted on, which `consume` may have been ahead of."""
    if uncommitted:
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in uncommitted.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
        uncommitted.clear()


def main() -> None:
    options = arguments()
    with options.charges.open("a") as charges:
        if options.audit_topic:
            consume(options, Sink(options, charges, AuditTopic(options)))
            return
        with options.audit.open("a") as audit:
            consume(options, Sink(options, charges, audit))


if __name__ == "__main__":
    main()
