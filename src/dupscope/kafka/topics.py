"""What a cluster says about its topics: partitions, ids, cleanup policy."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import cached_property

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared as exports
    AdminClient,
    ConfigResource,
    ResourceType,
)

from dupscope.kafka.client import ClientLogger, admin
from dupscope.kafka.errors import BrokersUnreachableError, cluster_error, error_of
from dupscope.kafka.settings import ClusterSettings

_NO_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Partition numbers of some topics, taken from one cluster now.

    `answers_admin` is False where no broker acts as controller: there the client library would wait in vain
    for one to ask about topic ids and configurations.
    """

    cluster_id: str
    partitions: dict[str, list[int]]
    answers_admin: bool


def view(client: Consumer, settings: ClusterSettings, topics: Iterable[str]) -> ClusterView:
    """Ask the cluster for its present partitions of `topics`. Raises ClusterError."""
    partitions: dict[str, list[int]] = {}
    cluster_id, answers_admin = "", False
    for topic in topics:
        try:
            metadata = client.list_topics(topic, timeout=settings.timeout_seconds)
        except KafkaException as exception:
            raise cluster_error(settings.name, f"topic {topic!r}", error_of(exception)) from None
        found = metadata.topics[topic]
        if found.error is not None:
            raise cluster_error(settings.name, f"topic {topic!r}", found.error)
        partitions[topic] = sorted(found.partitions)
        cluster_id = metadata.cluster_id or ""
        answers_admin = metadata.controller_id in metadata.brokers
    return ClusterView(cluster_id, partitions, answers_admin)


class TopicFacts:
    """Ids and cleanup policies of topics, by an admin client that is made when first needed."""

    def __init__(self, settings: ClusterSettings, logger: ClientLogger) -> None:
        self._settings = settings
        self._logger = logger

    @cached_property
    def _admin(self) -> AdminClient:
        return admin(self._settings, self._logger)

    def ids(self, seen: ClusterView) -> dict[str, str]:
        """The id of each topic; its name where brokers have none to give. Raises ClusterError.

        A broker that is slow to answer is an error, never a reason to fall back: ids go into positions, and
        the same record must have the same position in every run.
        """
        names = {topic: topic for topic in seen.partitions}
        if not seen.answers_admin:
            return names
        for topic, future in self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=self._settings.timeout_seconds
        ).items():
            try:
                topic_id = str(future.result(self._settings.timeout_seconds + 1).topic_id)
            except KafkaException as exception:
                if not _unsupported(error_of(exception)):
                    raise self._failed(topic, error_of(exception)) from None
            except FutureTimeoutError:
                raise BrokersUnreachableError(f"cluster {self._settings.name!r}: topic ids") from None
            else:
                names[topic] = topic if topic_id in {"", "None", _NO_TOPIC_ID} else topic_id
        self._admin.poll(0)
        return names

    def compacted(self, seen: ClusterView) -> set[str]:
        """The topics that are compacted. Where the cluster does not tell, a topic counts as not compacted."""
        if not seen.answers_admin:
            return set()
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in seen.partitions]
        futures = self._admin.describe_configs(resources, request_timeout=self._settings.timeout_seconds)
        found: set[str] = set()
        for resource, future in futures.items():
            try:
                policy = future.result(self._settings.timeout_seconds + 1)["cleanup.policy"].value
            except (KafkaException, FutureTimeoutError, KeyError) as error:
                self._logger.say("CONFIGS", f"cleanup.policy of {resource.name} unknown: {error}")
            else:
                found.update({resource.name} if "compact" in policy else ())
        return found

    def _failed(self, topic: str, error: KafkaError) -> Exception:
        return cluster_error(self._settings.name, f"topic {topic!r}: id", error)


def _unsupported(error: KafkaError) -> bool:
    return error.code() in {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION}  # noqa: SLF001
