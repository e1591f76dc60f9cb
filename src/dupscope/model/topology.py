"""What a pipeline consists of: its logs (the source and its mirrors) and its sinks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dupscope.model.layer import Layer

SOURCE = "source"
"""Name of the stage that all sources of a pipeline form."""

MAX_LOGS = 64
"""A row of the index and the bit sets of the ledger have room for this many logs."""


@dataclass(frozen=True, slots=True)
class TagParts:
    """What a mirror preserves of a record, and by which a copy is recognised as faithful."""

    timestamp: bool = True
    key: bool = True
    value: bool = True


@dataclass(frozen=True, slots=True)
class Log:
    """Where records lie: a source, or the destination of a mirror, on one cluster.

    `name` is that of its stage: several sources are one stage. `upstream` are the indices of the logs that
    this one copies; a source has none, and a mirror has more than one only where it copies several sources.
    """

    name: str
    cluster: str
    upstream: tuple[int, ...] = ()
    tag: TagParts = TagParts()


@dataclass(frozen=True, slots=True)
class Sink:
    """One stage that acts on records. `reads` are indices of logs, in the order of the configuration."""

    name: str
    reads: tuple[int, ...]
    group: str | None = None
    ordered: bool = False
    """The sink works through each partition in order (`order: strict`)."""
    expects: bool = False
    """An effect of every business fact is expected (`expects: all`)."""


@dataclass(frozen=True)
class Topology:
    """The stages of one pipeline. Sources come first; a mirror stands after the logs that it copies."""

    pipeline: str
    logs: tuple[Log, ...]
    sinks: tuple[Sink, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.logs) <= MAX_LOGS:
            raise ValueError(f"a pipeline has 1 to {MAX_LOGS} logs, not {len(self.logs)}")
        for index, log in enumerate(self.logs):
            if any(above >= index for above in log.upstream):
                raise ValueError(f"log {log.name!r} must stand after the log that it copies")
        if not self.sources or any(not self.logs[index].upstream for index in self.mirrors):
            raise ValueError("the sources must stand first, and there must be one")
        if len({self.logs[index].name for index in self.sources}) > 1:
            raise ValueError("all sources are one stage and have one name")

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Indices of the sources' logs."""
        mirrors = [index for index, log in enumerate(self.logs) if log.upstream]
        return tuple(range(min(mirrors, default=len(self.logs))))

    @cached_property
    def mirrors(self) -> tuple[int, ...]:
        """Indices of the mirrors' logs, upstream before downstream."""
        return tuple(range(len(self.sources), len(self.logs)))

    @cached_property
    def stages(self) -> dict[str, tuple[int, ...]]:
        """The logs of each stage that holds records."""
        names = dict.fromkeys(log.name for log in self.logs)
        return {name: tuple(i for i, log in enumerate(self.logs) if log.name == name) for name in names}

    def is_source(self, log: int) -> bool:
        """Whether a log is a source."""
        return log < len(self.sources)

    def layer(self, log: int) -> Layer:
        """The layer of a log's stage."""
        return Layer.PRODUCE if self.is_source(log) else Layer.MIRROR

    def title(self, log: int) -> str:
        """What the configuration calls a log: its stage, with the cluster where there are several sources."""
        one = self.logs[log]
        return f"{one.name}@{one.cluster}" if self.is_source(log) and len(self.sources) > 1 else one.name

    def is_copied(self, log: int) -> bool:
        """Whether a mirror copies a log."""
        return any(log in other.upstream for other in self.logs)

    def above(self, log: int) -> tuple[int, ...]:
        """Indices of all logs that `log` descends from, nearest first."""
        chain: dict[int, None] = {}
        level = self.logs[log].upstream
        while level:
            chain |= dict.fromkeys(level)
            level = tuple(above for one in level for above in self.logs[one].upstream)
        return tuple(chain)

    def sources_of(self, log: int) -> tuple[int, ...]:
        """The sources that a log descends from; a source's own index."""
        return tuple(one for one in (log, *self.above(log)) if self.is_source(one))

    def depth(self, log: int) -> int:
        """Number of steps from the source to `log`."""
        upstream = self.logs[log].upstream
        return 1 + max(self.depth(above) for above in upstream) if upstream else 0

    def seen_by(self, sink: int) -> tuple[int, ...]:
        """Indices of the logs that a sink reads and of all logs above them, ascending."""
        reads = self.sinks[sink].reads
        return tuple(sorted({log for read in reads for log in (read, *self.above(read))}))

    def downstream_first(self) -> tuple[int, ...]:
        """All logs, deepest first: the order in which a cycle reads and in which end offsets are taken."""
        return tuple(sorted(range(len(self.logs)), key=lambda log: (-self.depth(log), log)))
