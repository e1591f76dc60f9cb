"""What becomes true together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dupscope.ledger.state import LedgerState
from dupscope.model.finding import Finding
from dupscope.model.plain import Plain
from dupscope.model.position import Partition
from dupscope.store.entries import Entry

Step = Callable[[str], None]
"""Told the name of each step of `STEPS` as it is reached. Tests end the process there."""

STEPS = (
    "cycle.read",
    "cycle.judged",
    "commit.begun",
    "commit.findings",
    "commit.journal",
    "commit.blocks",
    "commit.checkpoint",
    "commit.written",
    "commit.done",
    "publish.metrics",
    "publish.findings",
    "restore.totals",
    "restore.blocks",
    "restore.journal",
    "restore.done",
)
"""`commit.journal` or, in a checkpoint, `commit.blocks` and `commit.checkpoint`; `commit.written` is the last
moment at which nothing of it is true, `commit.done` the first at which all of it is."""


def no_step(_name: str) -> None:
    """Nothing happens at any step."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a pipeline's ledger in place of the journal so far: what changed of it, all partitions."""

    state: LedgerState
    partitions: list[Partition]


@dataclass(frozen=True, slots=True)
class PipelineCommit:
    """One pipeline's part of a commit.

    configuration  a digest of what its state depends on
    watch          where its tails and audit logs stand after the entries
    checkpoint     where it is given, the entries are in it already
    """

    configuration: str
    entries: list[Entry]
    watch: Plain
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A finding, and whether its log line is wanted: what is over the rate is left out."""

    finding: Finding
    logged: bool = True


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that becomes true with one transaction.

    number     of the last cycle
    totals     values of the metrics that changed; in a checkpoint all that there are
    published  the number of the last finding whose log line was written
    """

    number: int
    pipelines: Mapping[str, PipelineCommit]
    totals: list[Plain] = field(default_factory=list)
    findings: tuple[NewFinding, ...] = ()
    published: int = 0

    @property
    def is_checkpoint(self) -> bool:
        """Whether it replaces the journal."""
        return all(part.checkpoint is not None for part in self.pipelines.values())
