"""Clients of librdkafka, made from a cluster's settings, with all that they say routed to one callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.kafka.errors import error_of
from dupscope.kafka.settings import DEFAULTS, ENFORCED, ClusterSettings, Value
from dupscope.model.errors import ConfigError

T = TypeVar("T", Consumer, AdminClient)

ClientLog = Callable[[str, str, str, int], None]
"""Takes (cluster, facility, text, number suppressed before it). The text holds no secret."""

QUIET_SECONDS = 10.0
_IGNORED = frozenset({"CONFWARN"})


def silent(_cluster: str, _facility: str, _text: str, _suppressed: int) -> None:
    """A log that keeps nothing."""


class ClientLogger:
    """What librdkafka takes for a logger. Each facility is heard once in `QUIET_SECONDS`.

    librdkafka repeats the failure of a connection many times a second for as long as a broker is away.
    """

    def __init__(self, settings: ClusterSettings, log: ClientLog, clock: Clock = SYSTEM_CLOCK) -> None:
        self.settings = settings
        self._log = log
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def log(self, _level: int, _template: str, facility: str, _client: str, text: str) -> None:
        """Called by the client library, in the thread that polls."""
        if facility not in _IGNORED:
            self.say(facility, text)

    def say(self, facility: str, text: str) -> None:
        """Log one line, redacted, unless the facility was heard a moment ago."""
        now = self._clock.monotonic()
        if now - self._heard.get(facility, -QUIET_SECONDS) < QUIET_SECONDS:
            self._suppressed[facility] = self._suppressed.get(facility, 0) + 1
            return
        self._heard[facility] = now
        suppressed = self._suppressed.pop(facility, 0)
        self._log(self.settings.name, facility, self.settings.redact(text), suppressed)


def configuration(settings: ClusterSettings, overrides: Mapping[str, Value]) -> dict[str, Any]:
    """Properties of a client: our defaults, the user's, what a purpose needs, and what nobody may change.

    A default that `overrides` restates for its purpose still gives way to the user's value.
    """
    return {**DEFAULTS, **overrides, **settings.properties, **ENFORCED}


def consumer(
    settings: ClusterSettings,
    logger: ClientLogger,
    *,
    committed: bool = True,
    on_error: Callable[[KafkaError], None] | None = None,
    defaults: Mapping[str, Value] | None = None,
    group: str | None = None,
) -> Consumer:
    """A consumer that is assigned to nothing yet. `committed` hides open and aborted transactions from it.

    `group` is one whose commits it can be asked for. It joins none as long as it subscribes to nothing.

    `on_error` hears the client's own errors (all brokers down, authentication), in the thread that polls.
    Raises ConfigError when the client refuses a property.
    """
    properties = configuration(settings, defaults or {})
    properties["isolation.level"] = "read_committed" if committed else "read_uncommitted"
    properties["logger"] = logger
    properties["error_cb"] = on_error or _unheard
    if group is not None:
        properties["group.id"] = group
    return _made(settings, Consumer, properties)


def admin(settings: ClusterSettings, logger: ClientLogger) -> AdminClient:
    """A client for questions about topics and groups. Raises ConfigError when it refuses a property."""
    properties = {"client.id": DEFAULTS["client.id"], **settings.properties}
    properties.pop("group.id", None)
    return _made(settings, AdminClient, {**properties, "logger": logger, "error_cb": _unheard})


def refusals(settings: ClusterSettings) -> list[str]:
    """What the client library says against the properties: at most one sentence, none when it takes them.

    Connects to nothing that must answer.
    """
    try:
        consumer(settings, ClientLogger(settings, silent)).close()
    except ConfigError as error:
        return error.problems
    return []


def _unheard(_error: KafkaError) -> None:
    """The request that failed reports it."""


def _made(settings: ClusterSettings, kind: type[T], properties: dict[str, Any]) -> T:
    try:
        return kind(properties)
    except KafkaException as exception:
        text = settings.redact(error_of(exception).str())
        raise ConfigError([f"clusters.{settings.name}: {text}"]) from None
    except (TypeError, ValueError) as exception:
        text = settings.redact(str(exception))
        raise ConfigError([f"clusters.{settings.name}: {text}"]) from None
