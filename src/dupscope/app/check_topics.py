"""Whether a cluster's topics are there, can be read, and how fast they grow."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from dupscope.kafka.client import ClientLogger, consumer, silent
from dupscope.kafka.errors import AccessDeniedError, TopicMissingError
from dupscope.kafka.groups import GroupOffsets
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.sample import SampledRecord, sample
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import OffsetQuery
from dupscope.kafka.topic_configs import TopicConfigs
from dupscope.model.errors import ClusterError

READ_SECONDS = 10.0
"""How long to try to read a sample of one topic."""


@dataclass(slots=True)
class TopicProbe:
    """One topic, looked at.

    ends           partition -> end offset at the moment `asked_at` (a monotonic clock, in seconds)
    keeps_window   False where records younger than the window have been deleted already
    refusal        why it cannot be used, as a sentence; everything else is empty then
    """

    cluster: ClusterSettings
    topic: str
    ends: dict[int, int] = field(default_factory=dict)
    asked_at: float = 0.0
    records: list[SampledRecord] = field(default_factory=list)
    keeps_window: bool = True
    refusal: str | None = None
    records_per_second: float = 0.0

    @property
    def empty(self) -> bool:
        """Nothing was ever written to it."""
        return not any(self.ends.values())

    def measure(self, ends: dict[int, int], asked_at: float) -> None:
        """Take a second look at the end offsets. Where nothing grew, the sample's own pace counts."""
        grown = sum(ends.get(number, end) - end for number, end in self.ends.items())
        elapsed = asked_at - self.asked_at
        measured = grown / elapsed if elapsed > 0 else 0.0
        self.records_per_second = max(measured, pace(self.records) if not measured else 0.0)


class ClusterProbe:
    """Asks one cluster. Tells what it cannot do as sentences, never as exceptions."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._ends = EndOffsets(settings)
        self._groups = GroupOffsets(settings)
        self._configs = TopicConfigs(settings)
        self._client = consumer(settings, ClientLogger(settings, silent), committed=False)

    def cluster_id(self) -> str:
        """The cluster's id. Raises ClusterError when no broker answers."""
        return self._ends.cluster_id()

    def topics(self) -> list[str]:
        """All topics that the cluster has. Raises ClusterError."""
        return self._configs.names()

    def timestamp_types(self, topics: Sequence[str]) -> dict[str, str]:
        """`message.timestamp.type` of those topics of which the cluster tells it."""
        try:
            return self._configs.timestamp_types(topics)
        except ClusterError:
            return {}

    def tells_topic_ids(self, topics: Sequence[str]) -> bool:
        """Every topic has an id; also where that cannot be found out now."""
        try:
            return all(found != topic for topic, found in self._ends.topic_ids(topics).items())
        except ClusterError:
            return True

    def look(self, topic: str, limit: int, window_seconds: float) -> TopicProbe:
        """Read up to `limit` records of a topic, take its end offsets, and see how far back it reaches."""
        probe = TopicProbe(self.settings, topic)
        try:
            probe.ends, probe.asked_at = self._end_offsets(topic), time.monotonic()
            if not probe.empty:
                probe.records = sample(self.settings, topic, limit, READ_SECONDS)
                probe.keeps_window = self._keeps(topic, window_seconds, list(probe.ends))
        except ClusterError as error:
            probe.refusal = refusal(self.settings, topic, error)
        return probe

    def measure(self, probe: TopicProbe) -> None:
        """Take the end offsets once more, for the rate. A topic that is gone by now keeps rate 0."""
        try:
            probe.measure(self._end_offsets(probe.topic), time.monotonic())
        except ClusterError as error:
            probe.refusal = refusal(self.settings, probe.topic, error)

    def has_commits(self, group: str, probe: TopicProbe) -> bool:
        """The group has committed an offset of the topic, as far as these credentials may see."""
        partitions = [(probe.topic, number) for number in probe.ends]
        return bool(self._groups.committed(group, partitions))

    def close(self) -> None:
        """Drop the connections."""
        self._ends.close()
        self._groups.close()
        self._client.close()

    def _keeps(self, topic: str, window_seconds: float, numbers: Sequence[int]) -> bool:
        """No partition that has lost records begins with one that is younger than the window."""
        partitions = [(topic, number) for number in numbers]
        query = OffsetQuery(self._client, self.settings)
        starts = query.log_starts(partitions)
        young = query.since(partitions, int((time.time() - window_seconds) * 1000))
        return not any(start > 0 and young[partition] == start for partition, start in starts.items())

    def _end_offsets(self, topic: str) -> dict[int, int]:
        return {number: end for (_, number), end in self._ends.of_topics([topic]).items()}


def refusal(settings: ClusterSettings, topic: str, error: ClusterError) -> str:
    """Why a topic cannot be used, and what to do, as a sentence."""
    if isinstance(error, TopicMissingError):
        return f"no such topic at {servers(settings)}, or hidden from these credentials: fix name or ACL"
    if isinstance(error, AccessDeniedError):
        return f"access denied at {servers(settings)}: allow Read on topic {topic} ({error})"
    return f"cannot be read at {servers(settings)}: {error}"


def servers(settings: ClusterSettings) -> str:
    """The addresses that a person gave for a cluster."""
    return settings.properties["bootstrap.servers"]


def pace(records: Sequence[SampledRecord]) -> float:
    """Records per second by the timestamps of a sample; 0 where it spans less than a second."""
    spans: dict[int, list[SampledRecord]] = defaultdict(list)
    for record in records:
        spans[record.partition].append(record)
    return sum(_partition_pace(own) for own in spans.values())


def _partition_pace(records: Sequence[SampledRecord]) -> float:
    times = [record.timestamp for record in records if record.timestamp]
    seconds = (max(times) - min(times)) / 1000 if times else 0
    offsets = [record.offset for record in records]
    return (max(offsets) - min(offsets)) / seconds if seconds >= 1 else 0.0
