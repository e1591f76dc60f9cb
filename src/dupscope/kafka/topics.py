"""What a cluster says about its topics: partitions, ids, cleanup policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import cached_property

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not declared as exports
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    ResourceType,
)

from dupscope.kafka.client import ClientLogger, admin
from dupscope.kafka.errors import (
    BrokersUnreachableError,
    RetryableClusterError,
    TopicMissingError,
    cluster_error,
    error_of,
)
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ClusterError

_NO_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"
_UNSUPPORTED = frozenset({KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION})  # noqa: SLF001


class _IdsUnsupportedError(RetryableClusterError):
    """Brokers too old to be asked, or one of them while a cluster is changed over."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Partition numbers of some topics, taken from one cluster now.

    `answers_admin` is False where no broker acts as controller: there the client library would wait in vain
    for one to ask about topic ids and configurations.
    """

    cluster_id: str
    partitions: dict[str, list[int]]
    answers_admin: bool


@dataclass(frozen=True, slots=True)
class Incarnation:
    """A topic between its creation and its deletion: its id, and the partitions that it has now."""

    topic_id: str
    numbers: list[int]


def view(client: Consumer, settings: ClusterSettings, topics: Iterable[str]) -> ClusterView:
    """Ask the cluster for its present partitions of `topics`. Raises ClusterError."""
    partitions: dict[str, list[int]] = {}
    cluster_id, answers_admin = "", False
    for topic in topics:
        metadata = metadata_of(client, settings, topic)
        partitions[topic] = _partitions(metadata, settings, topic)
        cluster_id = metadata.cluster_id or ""
        answers_admin = metadata.controller_id in metadata.brokers
    return ClusterView(cluster_id, partitions, answers_admin)


def selected(client: Consumer, settings: ClusterSettings, selection: TopicSelection) -> ClusterView:
    """Ask the cluster for its present topics of a selection, and their partitions.

    A topic that is named and missing raises TopicMissingError, everything else ClusterError.
    """
    if not selection.patterns:
        return view(client, settings, selection.names)
    metadata = metadata_of(client, settings, None)
    partitions = {
        topic: _partitions(metadata, settings, topic) for topic in selection.chosen(metadata.topics)
    }
    return ClusterView(metadata.cluster_id or "", partitions, metadata.controller_id in metadata.brokers)


def topic_configs(
    client: AdminClient, topics: Collection[str], name: str, logger: ClientLogger
) -> dict[str, str]:
    """One configuration entry of those of the topics of which the cluster tells it; logs the others.

    Not to be asked where no broker answers an admin client.
    """
    if not topics:
        return {}
    timeout = logger.settings.timeout_seconds
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    found: dict[str, str] = {}
    for resource, future in client.describe_configs(resources, request_timeout=timeout).items():
        try:
            found[resource.name] = future.result(timeout + 1)[name].value
        except (KafkaException, FutureTimeoutError, KeyError) as error:
            logger.say("CONFIGS", f"{name} of {resource.name} unknown: {error}")
    client.poll(0)
    return found


class TopicFacts:
    """Ids and cleanup policies of topics, by an admin client that is made when first needed."""

    def __init__(self, settings: ClusterSettings, logger: ClientLogger) -> None:
        self._settings = settings
        self._logger = logger
        self.knows_ids = False
        """Whether the cluster has ever told an id, so that a topic's name stands for none any more."""

    @cached_property
    def _admin(self) -> AdminClient:
        return admin(self._settings, self._logger)

    def incarnations(self, seen: ClusterView) -> dict[str, Incarnation]:
        """Each topic with its id; the id is its name where brokers have none to give. Raises ClusterError.

        A broker that is slow to answer is an error, never a reason to fall back: ids go into positions, and
        the same record must have the same position in every run.
        """
        if not seen.answers_admin and self.knows_ids:
            raise BrokersUnreachableError(f"cluster {self._settings.name!r}: no controller")
        try:
            found = self.described(seen.partitions) if seen.answers_admin else None
        except _IdsUnsupportedError:
            if self.knows_ids:
                raise
            found = None
        if found is None:
            return {topic: Incarnation(topic, numbers) for topic, numbers in seen.partitions.items()}
        for topic in seen.partitions:
            if topic not in found:
                raise TopicMissingError(f"cluster {self._settings.name!r}: topic {topic!r}: deleted")
        return found

    def described(self, topics: Collection[str]) -> dict[str, Incarnation]:
        """Those of the topics that exist now, in one request. Raises ClusterError.

        Not to be asked where no broker answers an admin client.
        """
        found: dict[str, Incarnation] = {}
        if not topics:
            return found
        answers = self._admin.describe_topics(
            TopicCollection(list(topics)), request_timeout=self._settings.timeout_seconds
        )
        for topic, future in answers.items():
            try:
                described = future.result(self._settings.timeout_seconds + 1)
            except KafkaException as exception:
                error = self._failed(topic, error_of(exception))
                if not isinstance(error, TopicMissingError):
                    raise error from None
            except FutureTimeoutError:
                raise BrokersUnreachableError(f"cluster {self._settings.name!r}: topic ids") from None
            else:
                topic_id = self._id(topic, str(described.topic_id))
                found[topic] = Incarnation(topic_id, sorted(each.id for each in described.partitions))
        self._admin.poll(0)
        return found

    def compacted(self, topics: Collection[str], *, answers_admin: bool) -> dict[str, bool]:
        """Which topics are compacted and which are not; those left out of which the cluster does not tell."""
        if not answers_admin:
            return {}
        policies = topic_configs(self._admin, topics, "cleanup.policy", self._logger)
        return {topic: "compact" in policy for topic, policy in policies.items()}

    def _id(self, topic: str, topic_id: str) -> str:
        if topic_id in {"", "None", _NO_TOPIC_ID}:
            if self.knows_ids:
                raise _IdsUnsupportedError(f"cluster {self._settings.name!r}: topic {topic!r}: no id")
            return topic
        self.knows_ids = True
        return topic_id

    def _failed(self, topic: str, error: KafkaError) -> ClusterError:
        if error.code() in _UNSUPPORTED:
            return _IdsUnsupportedError(f"cluster {self._settings.name!r}: topic ids")
        return cluster_error(self._settings.name, f"topic {topic!r}: id", error)


def metadata_of(
    client: Consumer | AdminClient, settings: ClusterSettings, topic: str | None
) -> ClusterMetadata:
    """What a cluster says about one topic, or about all. Raises ClusterError."""
    what = "topics" if topic is None else f"topic {topic!r}"
    try:
        found: ClusterMetadata = client.list_topics(topic, timeout=settings.timeout_seconds)
    except KafkaException as exception:
        raise cluster_error(settings.name, what, error_of(exception)) from None
    return found


def _partitions(metadata: ClusterMetadata, settings: ClusterSettings, topic: str) -> list[int]:
    found = metadata.topics.get(topic)
    if found is None:
        raise TopicMissingError(f"cluster {settings.name!r}: topic {topic!r}: unknown_topic_or_part")
    if found.error is not None:
        raise cluster_error(settings.name, f"topic {topic!r}", found.error)
    return sorted(found.partitions)
