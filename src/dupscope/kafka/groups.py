"""What consumer groups have committed. Asked for, never joined."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.errors import error_of, reason
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import TopicPartitionKey


class GroupOffsets:
    """Committed offsets of the groups of one cluster. For one thread; may block for the cluster's timeout.

    Asked through a consumer that is named like the group and subscribes to nothing, hence is no member of it:
    the admin client's question for a group's offsets aborts the process when its connection is cut
    (librdkafka 2.16.0, `rd_kafka_enq_once_del_source_return`).
    """

    def __init__(self, settings: ClusterSettings, log: ClientLog = silent) -> None:
        self._settings = settings
        self._logger = ClientLogger(settings, log)
        self._clients: dict[str, Consumer] = {}

    def committed(self, group: str, partitions: Sequence[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """The next offset that `group` would read in each partition for which it has committed one.

        Empty when the group is unknown or may not be seen, or when nobody answers: never raises for what a
        cluster does.
        """
        if not partitions:
            return {}
        client = self._client(group)
        request = [TopicPartition(*key) for key in partitions]
        try:
            answers = client.committed(request, timeout=self._settings.timeout_seconds)
        except KafkaException as exception:
            self._logger.say("GROUP", f"offsets of group {group!r}: {reason(error_of(exception))}")
            return {}
        finally:
            client.poll(0)  # serves the client's log
        return {
            (answer.topic, answer.partition): answer.offset
            for answer in answers
            if answer.error is None and answer.offset >= 0
        }

    def close(self) -> None:
        """Drop the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, group: str) -> Consumer:
        if group not in self._clients:
            self._clients[group] = consumer(self._settings, self._logger, group=group)
        return self._clients[group]
