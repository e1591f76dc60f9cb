"""Where a sink's audit log is, and what its lines say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dupscope.fingerprint.settings import split_path
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Start

MAX_LINE_BYTES = 1 << 20
"""A longer line is not decoded."""

FIELDS = (
    "key",
    "cluster",
    "topic",
    "partition",
    "offset",
    "group",
    "member",
    "at",
    "effect_id",
    "outcome",
)
"""What a line can say, by our names."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files of one folder that lines are appended to. The last part of `path` may be a pattern."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class TopicSource:
    """Topics whose values are lines."""

    cluster: ClusterSettings
    topics: TopicSelection
    start: Start = field(default_factory=Start)

    def __str__(self) -> str:
        return f"topic {', '.join(self.topics.names)} on {self.cluster.name}"


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """A table whose rows are lines."""

    connection: Mapping[str, str] = field(repr=False)
    table: str

    def __str__(self) -> str:
        return f"table {self.table}"


Source = FileSource | TopicSource | PostgresSource
"""Where lines come from. As a string it is what a person calls it, without secrets."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    r"""The audit log of one sink.

    source         where its lines come from
    names          what a field of ours is called in the lines, where it is called otherwise: a dotted path,
                   in which `\.` is a dot within a name
    group          the sink's consumer group; lines that name another are not the sink's
    logical_topic  the topic of lines that name none: the sink's, where it has only one
    """

    source: Source
    names: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    logical_topic: str | None = None
    max_line_bytes: int = MAX_LINE_BYTES

    def __post_init__(self) -> None:
        paths = [self.path_of(name) for name in FIELDS]
        for name, own in zip(FIELDS, paths, strict=True):
            if not all(own):
                raise ValueError(f"the name for {name!r} has an empty step")
            if sum(other[: len(own)] == own for other in paths) > 1:
                raise ValueError(f"the name for {name!r} is that of another field, or leads to one")

    def path_of(self, name: str) -> tuple[str, ...]:
        """The steps to a field of ours in a line."""
        return split_path(self.names.get(name, name))
