"""What a database holds, verified as it is read: a checkpoint, and the journal of what came after."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dupscope.ledger.state import LazyBlocks, LedgerState
from dupscope.model.errors import StoreDamagedError
from dupscope.model.plain import Plain
from dupscope.model.position import Partition
from dupscope.store.entries import Entry, from_tree
from dupscope.store.frame import checksum_of, unseal

Told = Callable[[int], None]
"""Is told how many more bytes were read."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a journal row says of all pipelines. `parts` are spans of its body; for the rest see `Commit`."""

    number: int
    totals: list[Plain]
    published: int
    findings: tuple[int, int]
    parts: dict[str, list[int]]

    def tree(self) -> Plain:
        """As it is stored."""
        return [self.number, self.totals, self.published, list(self.findings), self.parts]

    @classmethod
    def of(cls, tree: Any) -> Head:  # noqa: ANN401 - see `unseal`
        """From what is stored."""
        number, totals, published, findings, parts = tree
        return cls(number, totals, published, (findings[0], findings[1]), parts)


@dataclass(frozen=True, slots=True)
class CheckpointHead:
    """What a checkpoint says of all pipelines.

    seq       the number of the last commit that it holds; the journal goes on from there
    pipelines by name: the digest of the configuration, and the checksums of its blocks by number
    """

    seq: int
    head: Head
    pipelines: dict[str, tuple[str, dict[int, int]]]

    def tree(self) -> Plain:
        """As it is stored."""
        return [self.seq, self.head.tree(), {name: list(each) for name, each in self.pipelines.items()}]

    @classmethod
    def of(cls, tree: Any) -> CheckpointHead:  # noqa: ANN401 - see `unseal`
        """From what is stored."""
        seq, head, pipelines = tree
        return cls(seq, Head.of(head), {name: (conf, blocks) for name, (conf, blocks) in pipelines.items()})


@dataclass(frozen=True, slots=True)
class SavedState:
    """A pipeline's state as of the checkpoint."""

    state: LedgerState
    partitions: list[Partition]


@dataclass
class Contents:
    """Reads one database. Whatever is not as it was written raises StoreDamagedError."""

    connection: sqlite3.Connection
    checkpoint: CheckpointHead | None = None
    journal: list[tuple[int, Head]] = field(default_factory=list)

    def __post_init__(self) -> None:
        body = self._one("SELECT body FROM meta WHERE name = 'checkpoint'", ())
        if body is not None:
            self.checkpoint = CheckpointHead.of(unseal(body, "checkpoint"))
            self.journal = list(self._heads(self.checkpoint.seq + 1))

    @property
    def seq(self) -> int:
        """The number of the last commit, 0 before the first."""
        return self.journal[-1][0] if self.journal else self.checkpoint.seq if self.checkpoint else 0

    @property
    def last(self) -> Head | None:
        """What the last commit says."""
        return self.journal[-1][1] if self.journal else self.checkpoint.head if self.checkpoint else None

    @property
    def totals(self) -> list[Plain]:
        """Values of the metrics, oldest first: later ones replace earlier ones."""
        heads = [self.checkpoint.head] if self.checkpoint else []
        return [value for head in (*heads, *(head for _, head in self.journal)) for value in head.totals]

    @property
    def pipelines(self) -> list[str]:
        """Names of the pipelines that there is a state of."""
        return list(self.checkpoint.pipelines) if self.checkpoint else []

    def partitions(self, pipeline: str) -> list[Partition]:
        """All partitions of a pipeline as of the last commit, by slot."""
        known = [Partition(*each) for each in self._meta(pipeline)[2]]
        new = (partition for entry in self.entries(pipeline, _untold) for partition in entry.partitions)
        return [*known, *new]

    def configuration(self, pipeline: str) -> str | None:
        """The digest of the configuration that a pipeline's state belongs to; None without a state."""
        found = self.checkpoint.pipelines.get(pipeline) if self.checkpoint else None
        return found and found[0]

    def nbytes(self, pipeline: str) -> int:
        """Bytes that `state` and `entries` will read."""
        blocks = self._one("SELECT sum(length(body)) FROM blocks WHERE pipeline = ?", (pipeline,)) or 0
        return int(blocks) + sum(head.parts.get(pipeline, [0, 0])[1] for _, head in self.journal)

    def state(self, pipeline: str, told: Told) -> SavedState:
        """A pipeline's ledger as of the checkpoint; its blocks are read as they are asked for."""
        assert self.checkpoint is not None
        small, _, partitions, held = self._meta(pipeline)
        checksums = self.checkpoint.pipelines[pipeline][1]

        def block(number: int) -> dict[str, Plain]:
            tree, length = self._block(pipeline, number, checksums[number])
            told(length)
            return tree

        state = LedgerState(small, LazyBlocks(checksums, block), range(*held))
        return SavedState(state, [Partition(*each) for each in partitions])

    def entries(self, pipeline: str, told: Told) -> Iterator[Entry]:
        """The cycles since the checkpoint."""
        for seq, head in self.journal:
            if pipeline in head.parts:
                entries, _ = self._part(seq, head, pipeline)
                yield from from_tree(entries)
                told(head.parts[pipeline][1])

    def watch(self, pipeline: str) -> Any:  # noqa: ANN401 - see `unseal`
        """Where a pipeline's tails and audit logs stood at the last commit."""
        for seq, head in reversed(self.journal):
            if pipeline in head.parts:
                return self._part(seq, head, pipeline)[1]
        return self._meta(pipeline)[1]

    def _block(self, pipeline: str, block: int, checksum: int) -> tuple[dict[str, Plain], int]:
        body = self._one("SELECT body FROM blocks WHERE pipeline = ? AND block = ?", (pipeline, block))
        place = f"blocks/{pipeline}/{block}"
        tree = unseal(body, place)
        if checksum_of(body) != checksum:
            raise StoreDamagedError(f"{place}: is not the one of the last checkpoint", "incomplete")
        assert isinstance(tree, dict)
        return tree, len(body)

    def _meta(self, pipeline: str) -> Any:  # noqa: ANN401 - see `unseal`
        assert self.checkpoint is not None
        body = self._one("SELECT body FROM meta WHERE name = ?", (f"pipeline/{pipeline}",))
        return unseal(body, f"pipeline/{pipeline}/{self.checkpoint.seq}")

    def _part(self, seq: int, head: Head, pipeline: str) -> Any:  # noqa: ANN401 - see `unseal`
        start, length = head.parts[pipeline]
        query = "SELECT substr(body, ?, ?) FROM journal WHERE seq = ?"
        return unseal(self._one(query, (start + 1, length, seq)), f"journal/{seq}/{pipeline}")

    def _heads(self, first: int) -> Iterator[tuple[int, Head]]:
        """Heads of all journal rows, which must be numbered without a gap."""
        for expected, (seq, head) in enumerate(
            self.connection.execute("SELECT seq, head FROM journal ORDER BY seq"), first
        ):
            if seq != expected:
                raise StoreDamagedError(f"journal: {expected} should follow, not {seq}", "incomplete")
            yield seq, Head.of(unseal(head, f"journal/{seq}"))

    def _one(self, query: str, values: tuple[object, ...]) -> Any:  # noqa: ANN401 - what SQLite holds
        row = self.connection.execute(query, values).fetchone()
        return None if row is None else row[0]


def last_seq(connection: sqlite3.Connection) -> int:
    """The number of the last commit, 0 before the first."""
    (found,) = connection.execute("SELECT max(seq) FROM journal").fetchone()
    return int(found) if found is not None else Contents(connection).seq


def _untold(_count: int) -> None:
    """Nobody asks for progress."""
