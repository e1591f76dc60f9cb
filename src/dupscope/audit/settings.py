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
class Shipping:
    """Where a record, made by a program that follows files, says which line of which file it holds: paths.

    line    to the line, as a string or an object; None: the value itself is the line
    file    to what together names the file
    offset  to the offset in the file at which the line begins; None: lines that come twice count twice
    """

    line: str | None = None
    file: tuple[str, ...] = ()
    offset: str | None = None

    def __post_init__(self) -> None:
        paths = [split_path(path) for path in self.paths]
        for path, own in zip(self.paths, paths, strict=True):
            if not all(own):
                raise ValueError(f"the path {path!r} has an empty step")
            if sum(other[: len(own)] == own for other in paths) > 1:
                raise ValueError(f"the path {path!r} is given twice, or leads to another one")

    @property
    def paths(self) -> list[str]:
        """All paths: the line's, the file's, the offset's."""
        return [*filter(None, (self.line, *self.file, self.offset))]


SHIPPERS = {
    "vector": Shipping("message", ("host", "file"), "offset"),
    "fluent-bit": Shipping("log", ("host", "file"), "offset"),
}
"""What other shippers call these, where they are told to (docs/audit/topic.md)."""


@dataclass(frozen=True, slots=True)
class TopicSource:
    """Topics whose values are lines.

    shipping    how another program than our agent ships lines there; None: only the agent, or the sink itself
    lost_after  seconds after which an agent that is not heard of has taken lines with it
    """

    cluster: ClusterSettings
    topics: TopicSelection
    start: Start = field(default_factory=Start)
    shipping: Shipping | None = None
    lost_after: float = 600.0

    def __str__(self) -> str:
        names = [*self.topics.names, *(pattern.pattern for pattern in self.topics.patterns)]
        return f"topic {', '.join(names)} on {self.cluster.name}"


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """A table whose rows are lines.

    connection   parameters of libpq
    table        its name, with its schema where it needs one; or a `query` that gives the rows
    id           the column that names a row
    transaction  the column of type xid8 that tells which transaction wrote a row; None: `xmin` tells
    reach        without that column: ids so far below the highest one are still looked at
    """

    connection: Mapping[str, str] = field(repr=False)
    table: str = ""
    query: str = ""
    id: str = "id"
    transaction: str | None = None
    reach: int = 10_000

    def __str__(self) -> str:
        return f"table {self.table}" if self.table else "query"


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
