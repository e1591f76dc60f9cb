"""What a pipeline consists of: its logs (the source and its mirrors) and its sinks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

SOURCE = 0
"""Index of the source among the logs of a pipeline."""

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
    """One stage that holds records: the source, or the destination of a mirror.

    `upstream` is the index of the log that this one copies; the source has none.
    """

    name: str
    cluster: str
    upstream: int | None = None
    tag: TagParts = TagParts()


@dataclass(frozen=True, slots=True)
class Sink:
    """One stage that acts on records. `reads` are indices of logs, in the order of the configuration."""

    name: str
    reads: tuple[int, ...]
    group: str | None = None
    ordered: bool = False
    """The sink works through each partition in order (`order: strict`)."""


@dataclass(frozen=True)
class Topology:
    """The stages of one pipeline. Log 0 is the source; a mirror stands after the log it copies."""

    pipeline: str
    logs: tuple[Log, ...]
    sinks: tuple[Sink, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.logs) <= MAX_LOGS:
            raise ValueError(f"a pipeline has 1 to {MAX_LOGS} logs, not {len(self.logs)}")
        for index, log in enumerate(self.logs):
            if (log.upstream is None) != (index == SOURCE) or (log.upstream or 0) > index:
                raise ValueError(f"log {log.name!r} must stand after the log that it copies")

    @cached_property
    def mirrors(self) -> tuple[int, ...]:
        """Indices of the mirrors' logs, upstream before downstream."""
        return tuple(range(1, len(self.logs)))

    def above(self, log: int) -> tuple[int, ...]:
        """Indices of all logs that `log` descends from, nearest first."""
        chain = []
        upstream = self.logs[log].upstream
        while upstream is not None:
            chain.append(upstream)
            upstream = self.logs[upstream].upstream
        return tuple(chain)

    def depth(self, log: int) -> int:
        """Number of logs above `log`."""
        return len(self.above(log))

    def seen_by(self, sink: int) -> tuple[int, ...]:
        """Indices of the logs that a sink reads and of all logs above them, ascending."""
        reads = self.sinks[sink].reads
        return tuple(sorted({log for read in reads for log in (read, *self.above(read))}))

    def downstream_first(self) -> tuple[int, ...]:
        """All logs, deepest first: the order in which a cycle reads and in which end offsets are taken."""
        return tuple(sorted(range(len(self.logs)), key=lambda log: (-self.depth(log), log)))
