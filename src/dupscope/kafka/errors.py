"""What a cluster answers, as errors that a caller can act on and as reasons that a metric can count.

ClusterError
├── BrokersUnreachableError   no answer in time; passes by itself
├── TopicMissingError         a topic is not there; a mirror may still create it
└── AccessDeniedError         credentials or access rights are wrong; a person must act
"""

from __future__ import annotations

from typing import ClassVar

from confluent_kafka import KafkaError, KafkaException

from dupscope.model.errors import ClusterError


class RetryableClusterError(ClusterError):
    """A cluster that does not answer as needed now, and may do so later without anybody's help."""

    retryable: ClassVar[bool] = True


class BrokersUnreachableError(RetryableClusterError):
    """No broker answered in time."""


class TopicMissingError(RetryableClusterError):
    """A topic does not exist, or is hidden from these credentials."""


class AccessDeniedError(ClusterError):
    """The cluster refuses these credentials, or does not let them do what is asked."""

    retryable: ClassVar[bool] = False


OFFSET_OUT_OF_RANGE = "offset_out_of_range"
LOG_START_MOVED = "log_start_moved"
TOPIC_RECREATED = "topic_recreated"
TOPIC_DELETED = "topic_deleted"
TOPIC_MISSING = "topic_missing"

_DENIED = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001  # the client's public name for it
})  # fmt: skip
_MISSING = frozenset({
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.TOPIC_EXCEPTION,
})  # fmt: skip
_REASONS = {KafkaError._AUTO_OFFSET_RESET: OFFSET_OUT_OF_RANGE}  # noqa: SLF001


def reason(error: KafkaError) -> str:
    """The error's name in snake_case: a closed set, given by the client library."""
    return _REASONS.get(error.code()) or error.name().lstrip("_").lower()


def reason_of(error: ClusterError) -> str:
    """What kept a question from being answered, as a metric counts it."""
    if isinstance(error, TopicMissingError):
        return TOPIC_MISSING
    return "unreachable" if isinstance(error, RetryableClusterError) else "access_denied"


def cluster_error(cluster: str, doing: str, error: KafkaError) -> ClusterError:
    """The error to raise when `doing` failed on a cluster. Unknown failures count as passing ones."""
    text = f"cluster {cluster!r}: {doing}: {reason(error)}"
    if error.code() in _DENIED:
        return AccessDeniedError(text)
    if error.code() in _MISSING:
        return TopicMissingError(text)
    return BrokersUnreachableError(text)


def error_of(exception: KafkaException) -> KafkaError:
    """The client's error inside its exception."""
    error: KafkaError = exception.args[0]
    return error
