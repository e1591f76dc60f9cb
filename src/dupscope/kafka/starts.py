"""Where reading begins: offsets of a log's edges and of moments in time, many partitions in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from dupscope.kafka.errors import cluster_error, error_of
from dupscope.kafka.settings import ClusterSettings

TopicPartitionKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin in a log that was never read. `timestamp_ms` (since 1970) goes with "timestamp"."""

    kind: Literal["earliest", "latest", "timestamp"] = "earliest"
    timestamp_ms: int | None = None

    def __post_init__(self) -> None:
        if (self.kind == "timestamp") != (self.timestamp_ms is not None):
            raise ValueError("a timestamp goes with the start 'timestamp', and no other")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where reading of a partition began, and since when its records are covered.

    `covered_since_ms` is None when reading began at offset 0: nothing came before. `provisional` until the
    first record tells its timestamp: what lay before the log start may be younger than we can know.
    """

    offset: int
    covered_since_ms: int | None
    provisional: bool = False


class OffsetQuery:
    """Asks for offsets through a consumer, in one request per leader.

    To a consumer of committed records, the end of a partition is its last stable offset.
    """

    def __init__(self, client: Consumer, settings: ClusterSettings) -> None:
        self._client = client
        self._settings = settings

    def log_starts(self, partitions: Sequence[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """The first offset of each partition that the brokers still hold. Raises ClusterError."""
        return self._ask(partitions, OFFSET_BEGINNING)

    def ends(self, partitions: Sequence[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """The offset that the next record of each partition will get. Raises ClusterError."""
        return self._ask(partitions, OFFSET_END)

    def since(
        self, partitions: Sequence[TopicPartitionKey], timestamp_ms: int
    ) -> dict[TopicPartitionKey, int | None]:
        """The first offset whose record is not older than `timestamp_ms`; None where there is none."""
        return {
            partition: offset if offset >= 0 else None
            for partition, offset in self._ask(partitions, timestamp_ms).items()
        }

    def _ask(self, partitions: Sequence[TopicPartitionKey], when: int) -> dict[TopicPartitionKey, int]:
        if not partitions:
            return {}
        request = [TopicPartition(topic, number, when) for topic, number in partitions]
        try:
            answers = self._client.offsets_for_times(request, timeout=self._settings.timeout_seconds)
        except KafkaException as exception:
            raise cluster_error(self._settings.name, "offsets", error_of(exception)) from None
        for answer in answers:
            if answer.error is not None:
                where = f"offset of {answer.topic}[{answer.partition}]"
                raise cluster_error(self._settings.name, where, answer.error)
        return {(answer.topic, answer.partition): answer.offset for answer in answers}


def beginnings(
    query: OffsetQuery, start: Start, partitions: Sequence[TopicPartitionKey], now_ms: Callable[[], int]
) -> dict[TopicPartitionKey, Beginning]:
    """Resolve a start. Raises ClusterError.

    Ends are taken before a moment is resolved: a record that arrives in between is then read, not skipped.
    """
    lows, ends = query.log_starts(partitions), query.ends(partitions)
    if start.kind == "earliest":
        offsets = lows
    elif start.timestamp_ms is None:
        offsets = ends
    else:
        found = query.since(partitions, start.timestamp_ms)
        offsets = {key: ends[key] if offset is None else offset for key, offset in found.items()}
    now = now_ms()
    return {key: _beginning(start, offset, (lows[key], ends[key]), now) for key, offset in offsets.items()}


def _beginning(start: Start, offset: int, held: tuple[int, int], now: int) -> Beginning:
    low, end = held
    if offset == 0:
        return Beginning(0, None)
    if start.kind == "latest" or low == end:
        return Beginning(offset, now)
    if offset <= low:
        return Beginning(offset, now, provisional=True)
    return Beginning(offset, start.timestamp_ms)
