"""Which topics of a cluster belong to a log, and which of them are copies of one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from re import Pattern


def _nothing(_topic: str) -> str | None:
    return None


@dataclass(frozen=True)
class TopicSelection:
    """The topics of one log: those named, and those that a pattern finds, also later.

    names      physical topic -> logical topic; each is expected to exist
    patterns   a topic belongs to the log where one of them matches its whole name and `logical` knows it;
               names with a leading `__` are Kafka's own and match nothing
    logical    the logical topic of a topic that a pattern matches, None where it belongs to no source topic
    """

    names: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[Pattern[str], ...] = ()
    logical: Callable[[str], str | None] = _nothing

    def chosen(self, topics: Iterable[str]) -> dict[str, str]:
        """Of a cluster's topics those of this log, with their logical topics; the named ones always."""
        found = {topic: self._matched(topic) for topic in sorted(topics) if topic not in self.names}
        return {**self.names, **{topic: logical for topic, logical in found.items() if logical is not None}}

    def _matched(self, topic: str) -> str | None:
        if topic.startswith("__") or not any(pattern.fullmatch(topic) for pattern in self.patterns):
            return None
        return self.logical(topic)
