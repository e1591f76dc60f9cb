"""A few recent records of a topic, in full: for proposing business keys and for checking one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.errors import cluster_error
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import OffsetQuery, TopicPartitionKey
from dupscope.kafka.topics import view

Headers = list[tuple[str, bytes | None]]

_PORTION_RECORDS = 1_000
_SLICE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class SampledRecord:
    """One committed record. `timestamp` in milliseconds since 1970; 0 where the record has none."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def sample(
    settings: ClusterSettings,
    topic: str,
    limit: int,
    timeout_seconds: float,
    log: ClientLog = silent,
) -> list[SampledRecord]:
    """About `limit` newest records, evenly from all partitions, ordered within each; at most `limit`.

    Fewer where the topic has fewer, where compaction or transactions left gaps, or when time is up. Raises
    ClusterError when the topic cannot be read.
    """
    client = consumer(settings, ClientLogger(settings, log))
    try:
        (numbers,) = view(client, settings, [topic]).partitions.values()
        partitions = [(topic, number) for number in numbers]
        query = OffsetQuery(client, settings)
        lows, ends = query.log_starts(partitions), query.ends(partitions)
        shares = fair_shares({key: ends[key] - lows[key] for key in partitions}, limit)
        client.assign([TopicPartition(*key, ends[key] - share) for key, share in shares.items() if share])
        unread = {key for key, share in shares.items() if share}
        return _read(client, settings, unread, limit, timeout_seconds)
    finally:
        client.close()


def fair_shares(available: Mapping[TopicPartitionKey, int], limit: int) -> dict[TopicPartitionKey, int]:
    """How many records to take from each partition: as even as what they hold allows, `limit` in all."""
    shares: dict[TopicPartitionKey, int] = {}
    left = limit
    for done, (key, held) in enumerate(sorted(available.items(), key=lambda item: item[1])):
        shares[key] = min(held, left // (len(available) - done))
        left -= shares[key]
    return shares


def _read(
    client: Consumer,
    settings: ClusterSettings,
    unread: set[TopicPartitionKey],
    limit: int,
    timeout_seconds: float,
) -> list[SampledRecord]:
    deadline = time.monotonic() + timeout_seconds
    records: list[SampledRecord] = []
    while unread and len(records) < limit and time.monotonic() < deadline:
        messages = client.consume(min(_PORTION_RECORDS, limit), _SLICE_SECONDS)
        errors = [message.error() for message in messages]
        records += map(_sampled, compress(messages, (error is None for error in errors)))
        for message, error in zip(messages, errors, strict=True):
            if error is None:
                continue
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its public name
                raise cluster_error(settings.name, "sample", error)
            unread.discard((message.topic() or "", message.partition() or 0))
    return records[:limit]


def _sampled(message: Message) -> SampledRecord:
    _, timestamp = message.timestamp()
    headers = cast("Headers | None", message.headers())  # what the client gives for a record that was read
    return SampledRecord(
        message.partition() or 0,
        message.offset() or 0,
        max(timestamp, 0),
        message.key(),
        message.value(),
        headers or [],
    )
