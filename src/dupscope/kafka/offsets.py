"""Where logs end, for barriers and lag."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from confluent_kafka import Consumer, KafkaException

from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.errors import cluster_error, error_of
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import OffsetQuery, TopicPartitionKey
from dupscope.kafka.topics import ClusterView, TopicFacts, selected, view


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the partitions of some topics end, and which incarnations of the topics they belong to.

    `ids` were asked after `offsets`: a topic that still has the id under which it is known had it then, since
    ids never come back. Where the cluster cannot tell, the id is the topic's name and proves nothing.
    """

    offsets: dict[TopicPartitionKey, int]
    ids: dict[str, str]


class EndOffsets:
    """Asks one cluster, through a client of its own that reads uncommitted and is assigned to nothing.

    For one thread. The client is made at the first question. Every method may block for
    `ClusterSettings.timeout_seconds` a request and raises ClusterError.
    """

    def __init__(self, settings: ClusterSettings, log: ClientLog = silent) -> None:
        self._settings = settings
        self._logger = ClientLogger(settings, log)
        self._topic_facts = TopicFacts(settings, self._logger)
        self._opened = False

    def high_watermarks(self, selection: TopicSelection) -> Ends:
        """The high watermark of every partition that a log has now; open transactions lie below it.

        Topics and partitions are enumerated at the call, those that patterns find included.
        """
        self._client.poll(0)  # serves the client's log
        seen = selected(self._client, self._settings, selection)
        offsets = self._ends(seen)
        ids = {topic: each.topic_id for topic, each in self._topic_facts.incarnations(seen).items()}
        return Ends(offsets, ids)

    def of_topics(self, topics: Iterable[str]) -> dict[TopicPartitionKey, int]:
        """The high watermark of every partition that topics have now; for who needs no topic ids."""
        return self._ends(self._view(topics))

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The present id of each topic: another one means deleted and created again.

        It is the topic's name where the cluster cannot tell.
        """
        found = self._topic_facts.incarnations(self._view(topics))
        return {topic: each.topic_id for topic, each in found.items()}

    def cluster_id(self) -> str:
        """The cluster's id."""
        try:
            found = self._client.cluster_id(timeout=self._settings.timeout_seconds)
        except KafkaException as exception:
            raise cluster_error(self._settings.name, "cluster id", error_of(exception)) from None
        return found or ""

    def close(self) -> None:
        """Drop the connections."""
        if self._opened:
            self._client.close()

    @cached_property
    def _client(self) -> Consumer:
        self._opened = True
        return consumer(self._settings, self._logger, committed=False)

    def _view(self, topics: Iterable[str]) -> ClusterView:
        self._client.poll(0)  # serves the client's log
        return view(self._client, self._settings, topics)

    def _ends(self, seen: ClusterView) -> dict[TopicPartitionKey, int]:
        partitions = [(topic, number) for topic, numbers in seen.partitions.items() for number in numbers]
        return OffsetQuery(self._client, self._settings).ends(partitions)
