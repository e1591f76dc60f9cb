"""How to reach a cluster: the user's librdkafka properties, and what nobody may set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dupscope.model.errors import ConfigError

Value = str | int | bool

_READ_ONLY = "dupscope changes nothing that it watches: it joins no group and commits nothing"
_POSITIONS = "dupscope keeps its own positions and must see every lost one"
_CALLBACK = "not a librdkafka property: callbacks belong to the program"

DENIED: Mapping[str, str] = MappingProxyType(
    {
        "enable.auto.commit": _READ_ONLY,
        "auto.commit.enable": _READ_ONLY,
        "enable.auto.offset.store": _READ_ONLY,
        "group.instance.id": _READ_ONLY,
        "allow.auto.create.topics": "dupscope creates no topic",
        "transactional.id": "dupscope writes to no topic",
        "auto.offset.reset": _POSITIONS,
        "enable.partition.eof": "dupscope needs the end of each partition to know what it has passed",
        "isolation.level": "dupscope counts committed records only",
        "plugin.library.paths": "it loads code into the process that holds your credentials",
        "debug": "it writes requests, and with them record keys, into the log",
        "error_cb": _CALLBACK,
        "throttle_cb": _CALLBACK,
        "stats_cb": _CALLBACK,
        "oauth_cb": _CALLBACK,
        "log_cb": _CALLBACK,
        "on_commit": _CALLBACK,
        "logger": _CALLBACK,
    }
)
"""Properties that are refused, each with the reason that the user is told."""

_SHOWN = frozenset({"bootstrap.servers", "security.protocol", "client.id", "group.id", "sasl.mechanism"})
_MASK = "***"
_SHORTEST_SECRET = 4

DEFAULTS: Mapping[str, Value] = MappingProxyType(
    {
        "client.id": "dupscope",
        "group.id": "dupscope",
        "fetch.wait.max.ms": 100,
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": 64 * 1024,
    }
)
"""What a user may override. A consumer cannot be made without a group's name; no group is ever joined."""

ENFORCED: Mapping[str, Value] = MappingProxyType(
    {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
    }
)


@dataclass(frozen=True)
class ClusterSettings:
    """One cluster: its name in the configuration and librdkafka properties with resolved values.

    Raises ConfigError when a property is denied. Values are masked wherever the settings are shown, those
    apart that name where and how to connect. `timeout_seconds` bounds every request but the tails' fetches.
    """

    name: str
    properties: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        problems = [f"clusters.{self.name}.{name}: {why}" for name, why in denied(self.properties).items()]
        if problems:
            raise ConfigError(problems)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.masked().items())
        return f"ClusterSettings({self.name!r}: {shown})"

    def masked(self) -> dict[str, str]:
        """The properties as they may be printed."""
        return {name: value if name in _SHOWN else _MASK for name, value in self.properties.items()}

    def redact(self, text: str) -> str:
        """`text` without any value that `masked` hides. For what the client library says."""
        hidden = {
            value
            for name, value in self.properties.items()
            if name not in _SHOWN and len(value) >= _SHORTEST_SECRET
        }
        for value in sorted(hidden, key=len, reverse=True):
            text = text.replace(value, _MASK)
        return text


def denied(properties: Mapping[str, str]) -> dict[str, str]:
    """The denied ones among `properties`, each with the reason."""
    return {name: DENIED[name] for name in properties if name in DENIED}
