"""Every committed record of a topic, read by a plain consumer.

An independent witness: imports nothing of the program under test.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from support.waiting import wait_until

READ_SECONDS = 60


class Dumped(NamedTuple):
    """One record. `timestamp` is in milliseconds, as Kafka stores it.

    `cluster` and `topic_id` are empty where nobody has to tell clusters or incarnations of a topic apart.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    cluster: str = ""
    topic_id: str = ""


def topic_id(bootstrap: str, topic: str) -> str:
    """The id of a topic as the broker has it now: another one after re-creation."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=20)
    return str(described[topic].result(20).topic_id)


def dump_incarnation(bootstrap: str, topic: str, cluster: str = "") -> list[Dumped]:
    """All committed records of `topic` with its id. Raises when it was re-created meanwhile."""
    known = topic_id(bootstrap, topic)
    records = [record._replace(cluster=cluster, topic_id=known) for record in dump(bootstrap, topic)]
    if topic_id(bootstrap, topic) != known:
        raise LookupError(f"{topic} was re-created while it was read")
    return records


def merged(*lists: list[Dumped]) -> list[Dumped]:
    """Dumps of one log at several moments as one list: what was there once, each position once."""
    found = {(one.cluster, one.topic_id, one.topic, one.partition, one.offset): one for one in chain(*lists)}
    return [found[place] for place in sorted(found)]


def dump(bootstrap: str, topic: str) -> list[Dumped]:
    """All committed records of `topic` from its log start to its end as it is now, partition by partition."""
    with plain_consumer(bootstrap) as consumer:
        partitions = partitions_of(consumer, topic)
        if not partitions:
            raise LookupError(f"no topic {topic} at {bootstrap}")
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records = [dumped(message) for message in read_to_end(consumer, set(partitions))]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def last_records(bootstrap: str, topic: str) -> dict[int, tuple[int, bytes | None, bytes | None]]:
    """(timestamp, key, value) of the record at the end of each partition that has one.

    For topics without transactions only: a marker at the end would hide the last record.
    """
    with plain_consumer(bootstrap) as consumer:
        highs = high_watermarks(consumer, topic)
        ends = [TopicPartition(topic, number, high - 1) for number, high in highs.items() if high]
        if not ends:
            return {}
        consumer.assign(ends)
        last = {}
        for message in read_to_end(consumer, {end.partition for end in ends}):
            record = dumped(message)
            last[record.partition] = (record.timestamp, record.key, record.value)
        return last


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The high watermark of every partition."""
    with plain_consumer(bootstrap) as consumer:
        return high_watermarks(consumer, topic)


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """What `group` has committed, of the partitions for which it has committed anything."""
    with plain_consumer(bootstrap, group) as consumer:
        asked = [TopicPartition(topic, number) for number in partitions_of(consumer, topic)]
        return {one.partition: one.offset for one in consumer.committed(asked, timeout=10) if one.offset >= 0}


@contextmanager
def plain_consumer(bootstrap: str, group: str = "independent-dump") -> Iterator[Consumer]:
    """A consumer that joins no group and commits nothing."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The numbers of a topic's partitions; none when there is no such topic (yet)."""
    described = consumer.list_topics(topic, timeout=20).topics[topic]
    if described.error is not None and described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return []
    if described.error is not None:
        raise KafkaException(described.error)
    return sorted(described.partitions)


def high_watermarks(consumer: Consumer, topic: str) -> dict[int, int]:
    """By partition. A partition so new that it has no leader yet is asked again."""
    return {
        number: high_watermark(consumer, TopicPartition(topic, number))
        for number in partitions_of(consumer, topic)
    }


def high_watermark(consumer: Consumer, partition: TopicPartition) -> int:
    def ask() -> tuple[int, int] | None:
        with suppress(KafkaException):
            return consumer.get_watermark_offsets(partition, timeout=10)
        return None

    return wait_until(ask, 20, f"{partition.topic}[{partition.partition}] has a leader")[1]


def read_to_end(consumer: Consumer, unfinished: set[int]) -> Iterator[Message]:
    """Records until every partition in `unfinished` has reported its end once."""
    deadline = time.monotonic() + READ_SECONDS
    while unfinished:
        if time.monotonic() > deadline:
            raise TimeoutError(f"partitions {sorted(unfinished)} have not reported their end")
        message = consumer.poll(1.0)
        if message is None:
            continue
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            unfinished.discard(message.partition())
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)


def dumped(message: Message) -> Dumped:
    return Dumped(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )
