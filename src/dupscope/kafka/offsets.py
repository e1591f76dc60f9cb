"""Where logs end, for barriers and lag."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from confluent_kafka import Consumer, KafkaException

from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.errors import cluster_error, error_of
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import OffsetQuery, TopicPartitionKey
from dupscope.kafka.topics import ClusterView, TopicFacts, view


class EndOffsets:
    """Asks one cluster, through a client of its own that reads uncommitted and is assigned to nothing.

    For one thread. The client is made at the first question. Every method may block for
    `ClusterSettings.timeout_seconds` and raises ClusterError.
    """

    def __init__(self, settings: ClusterSettings, log: ClientLog = silent) -> None:
        self._settings = settings
        self._logger = ClientLogger(settings, log)
        self._topic_facts = TopicFacts(settings, self._logger)
        self._opened = False

    def high_watermarks(self, topics: Iterable[str]) -> dict[TopicPartitionKey, int]:
        """The high watermark of every partition that the topics have now; open transactions lie below it."""
        seen = self._view(topics)
        partitions = [(topic, number) for topic, numbers in seen.partitions.items() for number in numbers]
        return OffsetQuery(self._client, self._settings).ends(partitions)

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The present id of each topic: another one means deleted and created again.

        It is the topic's name where the cluster cannot tell.
        """
        return self._topic_facts.ids(self._view(topics))

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
