"""Which topics a cluster has, and who sets their records' timestamps."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared as exports
    AdminClient,
    ClusterMetadata,
)

from dupscope.kafka.client import ClientLog, ClientLogger, admin, silent
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.topics import metadata_of, topic_configs

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
        """`message.timestamp.type` of those topics of which the cluster tells it. Raises ClusterError."""
        return self._entry(topics, "message.timestamp.type")

    def cleanup_policies(self, topics: Collection[str]) -> dict[str, str]:
        """`cleanup.policy` of those topics of which the cluster tells it. Raises ClusterError."""
        return self._entry(topics, "cleanup.policy")

    def _entry(self, topics: Collection[str], name: str) -> dict[str, str]:
        """One entry, by topic.

        None is told where no broker acts as controller: the client would wait in vain for one to ask.
        """
        metadata = self._metadata()
        if metadata.controller_id not in metadata.brokers:
            return {}
        return topic_configs(self._admin, topics, name, self._logger)

    def _metadata(self) -> ClusterMetadata:
        return metadata_of(self._admin, self._settings, None)

    @cached_property
    def _admin(self) -> AdminClient:
        return admin(self._settings, self._logger)
