"""Writes records to one topic, in order, until each is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from dupscope.kafka.client import ClientLog, ClientLogger, silent
from dupscope.kafka.errors import error_of, reason
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ConfigError

MOST_RECORDS = 2_000
MOST_KIBIBYTES = 2 * 1024

_SETTINGS: Mapping[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "message.timeout.ms": 0,  # nothing is given up while the brokers are away
    "queue.buffering.max.messages": MOST_RECORDS,
    "queue.buffering.max.kbytes": MOST_KIBIBYTES,
}
_DEFAULTS: Mapping[str, Any] = {
    "client.id": "dupscope-agent",
    "linger.ms": 50,
    "compression.type": "lz4",
    "topic.metadata.refresh.sparse": True,
}

Headers = list[tuple[str, str | bytes | None]]


class TooLongError(Exception):
    """A record is larger than the client or the brokers take."""


class Shipper:
    """An idempotent producer. Records of one key keep their order, and none is skipped.

    `failure` says why nothing more can be shipped by this one: then records that were not acknowledged are
    shipped again by a new one. For one thread.
    """

    def __init__(self, settings: ClusterSettings, topic: str, log: ClientLog = silent) -> None:
        """Connects to nothing that must answer. Raises ConfigError when the client refuses a property."""
        self._topic = topic
        self.failure: str | None = None
        logger = ClientLogger(settings, log)
        properties = {
            **_DEFAULTS,
            **settings.properties,
            **_SETTINGS,
            "logger": logger,
            "error_cb": self._hear,
        }
        properties.pop("group.id", None)
        try:
            self._producer = Producer(properties)
        except (KafkaException, TypeError, ValueError) as exception:
            raise ConfigError([f"cluster: {settings.redact(_text(exception))}"]) from None

    @property
    def has_room(self) -> bool:
        """Whether more may be shipped before some of what waits is acknowledged."""
        return len(self._producer) < MOST_RECORDS // 2

    @property
    def waiting(self) -> int:
        """Records that were not acknowledged yet."""
        return len(self._producer)

    def ship(self, key: str, value: bytes | None, headers: Headers, told: Callable[[bool], None]) -> bool:
        """Begin to write one record; `told` hears during a later `poll`: acknowledged, or else too long.

        False: there is no room now. Raises TooLongError for a record that the client does not take.
        """
        try:
            self._producer.produce(
                self._topic, value, key, headers=headers, on_delivery=lambda error, _: self._tell(error, told)
            )
        except BufferError:
            return False
        except KafkaException as exception:
            error = error_of(exception)
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise TooLongError from None
            self.failure = reason(error)
            return False
        return True

    def poll(self, seconds: float) -> None:
        """Let the client work, and hear of outcomes."""
        self._producer.poll(seconds)

    def flush(self, seconds: float) -> int:
        """Wait until all is acknowledged, at most so long. Gives the number of records that are not."""
        return int(self._producer.flush(seconds))

    def close(self) -> None:
        """Give up what was not acknowledged. Outcomes are not told any more."""
        self.failure = "closed"
        self._producer.purge()
        self._producer.flush(0)

    def _tell(self, error: KafkaError | None, told: Callable[[bool], None]) -> None:
        if self.failure is not None:
            return
        if error is not None and error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
            self.failure = reason(error)
            return
        told(error is None)

    def _hear(self, error: KafkaError) -> None:
        if error.fatal():
            self.failure = reason(error)


def _text(exception: Exception) -> str:
    return error_of(exception).str() if isinstance(exception, KafkaException) else str(exception)
