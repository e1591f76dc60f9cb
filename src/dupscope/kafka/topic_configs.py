"""Which topics a cluster has, and who sets their records' timestamps."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cached_property

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared as exports
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    ResourceType,
)

from dupscope.kafka.client import ClientLog, ClientLogger, admin, silent
from dupscope.kafka.errors import cluster_error, error_of
from dupscope.kafka.settings import ClusterSettings

LOG_APPEND_TIME = "LogAppendTime"
"""The timestamp type of topics whose brokers replace the timestamps that producers, and mirrors, send."""


class TopicConfigs:
    """Asks one cluster, through an admin client that is made at the first question. For one thread."""

    def __init__(self, settings: ClusterSettings, log: ClientLog = silent) -> None:
        self._settings = settings
        self._logger = ClientLogger(settings, log)

    def names(self) -> list[str]:
        """All topics that these credentials may see. Raises ClusterError."""
        return sorted(self._metadata().topics)

    def timestamp_types(self, topics: Collection[str]) -> dict[str, str]:
        """`message.timestamp.type` of those topics of which the cluster tells it. Raises ClusterError.

        It tells none where no broker acts as controller: the client would wait in vain for one to ask.
        """
        metadata = self._metadata()
        if not topics or metadata.controller_id not in metadata.brokers:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        futures = self._admin.describe_configs(resources, request_timeout=self._settings.timeout_seconds)
        found: dict[str, str] = {}
        for resource, future in futures.items():
            try:
                entries = future.result(self._settings.timeout_seconds + 1)
                found[resource.name] = entries["message.timestamp.type"].value
            except (KafkaException, FutureTimeoutError, KeyError) as error:
                self._logger.say("CONFIGS", f"message.timestamp.type of {resource.name} unknown: {error}")
        self._admin.poll(0)
        return found

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=self._settings.timeout_seconds)
        except KafkaException as exception:
            raise cluster_error(self._settings.name, "topics", error_of(exception)) from None

    @cached_property
    def _admin(self) -> AdminClient:
        return admin(self._settings, self._logger)
