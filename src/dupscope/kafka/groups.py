"""What consumer groups have committed. Asked for, never joined."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cached_property

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from dupscope.kafka.client import ClientLog, ClientLogger, admin, silent
from dupscope.kafka.errors import error_of, reason
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import TopicPartitionKey


class GroupOffsets:
    """Committed offsets of the groups of one cluster. For one thread; may block for the cluster's timeout."""

    def __init__(self, settings: ClusterSettings, log: ClientLog = silent) -> None:
        self._settings = settings
        self._logger = ClientLogger(settings, log)

    def committed(self, group: str, partitions: Sequence[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """The next offset that `group` would read in each partition for which it has committed one.

        Empty when the group is unknown or may not be seen, or when nobody answers: never raises for what a
        cluster does.
        """
        if not partitions:
            return {}
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(*key) for key in partitions])
        future = self._admin.list_consumer_group_offsets(
            [request], request_timeout=self._settings.timeout_seconds
        )[group]
        try:
            answers = future.result(self._settings.timeout_seconds + 1).topic_partitions
        except KafkaException as exception:
            self._logger.say("GROUP", f"offsets of group {group!r}: {reason(error_of(exception))}")
            return {}
        except FutureTimeoutError:
            return {}
        finally:
            self._admin.poll(0)
        return {
            (answer.topic, answer.partition): answer.offset
            for answer in answers
            if answer.error is None and answer.offset >= 0
        }

    @cached_property
    def _admin(self) -> AdminClient:
        return admin(self._settings, self._logger)
