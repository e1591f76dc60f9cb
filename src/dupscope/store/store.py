"""The durable state of one process: a journal of commits, and checkpoints that replace it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.model.errors import DupscopeError, StoreDamagedError
from dupscope.model.finding import Finding
from dupscope.model.plain import Plain
from dupscope.store import database
from dupscope.store.commit import Commit, NewFinding, PipelineCommit, Step, no_step
from dupscope.store.contents import CheckpointHead, Contents, Head, last_seq
from dupscope.store.entries import partition_trees, to_tree
from dupscope.store.findings import KEPT_FINDINGS, FindingTable, numbered
from dupscope.store.frame import checksum_of, seal
from dupscope.store.lock import WriterLock
from dupscope.store.resets import ResetCount
from dupscope.store.witness import Witness

JOURNAL_BYTES_LEAST = 16 << 20
JOURNAL_SHARE = 0.25
"""A checkpoint is due once the journal is longer than this part of the blocks, and than the former."""

LOST, UNFINISHED = "lost", "unfinished"
"""Reasons of damage: there is nothing to salvage; there was damage before, and the process ended over it."""


@dataclass
class Salvage:
    """What could still be read of a store that is set aside."""

    totals: list[Plain] = field(default_factory=list)
    findings: list[NewFinding] = field(default_factory=list)
    last: int = 0
    published: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing could be read."""
        return not self.totals and not self.findings


class Store:
    """The writer's side of a state folder. One thread only.

    Nothing of a cycle may be shown to anybody before `commit` returns. `step` hears where a commit stands.
    """

    def __init__(
        self,
        folder: Path,
        step: Step = no_step,
        journal_bytes: int = JOURNAL_BYTES_LEAST,
        findings: int = KEPT_FINDINGS,
    ) -> None:
        """Lock the folder. Raises StoreError where somebody else has it. `load` comes next.

        The journal may be `journal_bytes` long however little is stored; the last `findings` are kept.
        """
        self.when_begun_anew: Callable[[], None] = _nothing
        """What else lies in the folder, and must be there again."""
        self._journal_limit = journal_bytes
        self._kept_findings = findings
        self._folder = folder
        self._step = step
        self._lock = WriterLock(folder)
        self._resets = ResetCount(folder)
        self._witness = Witness(folder)
        self.lost_commits = 0
        """Commits that were there and are gone: the end of the write-ahead log was damaged or lost."""
        self._open: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._journal_bytes = 0
        self._block_bytes: dict[tuple[str, int], int] = {}
        self._checkpoint = _NOTHING
        self._seq = 0

    # ------------------------------------------------------------------ opening

    def load(self) -> Contents:
        """Open the database and verify it; what it holds. Raises StoreDamagedError, see `begin_anew`."""
        with database.believed(self.path):
            database.check_pages(self._connection, self.path)
            contents = Contents(self._connection)
            if contents.last is None:
                self._check_new()
            else:
                self._findings.check(*contents.last.findings)
                self._settle_folder()
            self._take_over(contents)
            self.lost_commits = max(0, self._witness.seq - self._seq)
        return contents

    def _check_new(self) -> None:
        """Notice that a database without a commit is not the first one."""
        if database.is_set_aside(self._folder):
            raise StoreDamagedError(f"{self.path}: nothing was committed since one was set aside", UNFINISHED)
        if self._resets.is_there:
            raise StoreDamagedError(f"{self.path}: is gone, or has lost all commits", "gone")

    def _settle_folder(self) -> None:
        """There is a commit in the database: what else lies there says so, too."""
        with suppress(OSError):
            database.put_away(self._folder)
            self._resets.keep()

    def begin_anew(self, error: StoreDamagedError) -> Salvage:
        """Set the database aside; the next commit makes a new one. Gives what is intact beyond doubt.

        Raises StoreUnwritableError where it cannot be renamed: nothing has changed then.
        """
        self._disconnect()
        salvage = Salvage() if error.reason == LOST else _salvaged(self._folder)
        with database.translated(self.path):
            self._folder.mkdir(parents=True, exist_ok=True)
            if not salvage.is_empty or not database.is_set_aside(self._folder):
                database.set_aside(self._folder)
            else:
                salvage = _salvaged(self._folder, database.SET_ASIDE_FILE)
                database.remove(self._folder)
        if not self._lock.is_in_place:
            self._lock.release()
            self._lock = WriterLock(self._folder)
        self._witness.forget()
        self.when_begun_anew()
        if error.reason != UNFINISHED:
            self._resets.increase()
        self._checkpoint, self._seq, self._identity = _NOTHING, 0, None
        self._journal_bytes, self._block_bytes = 0, {}
        return salvage

    @property
    def _connection(self) -> sqlite3.Connection:
        """The open database; opened, or made, where it is not open.

        Raises StoreDamagedError where it is not the one that was open before.
        """
        if self._open is None:
            self._check_place()
            self._open = database.connect(self._folder)
            self._identity = _identity(self.path)
            self._findings = FindingTable(self._open, self._kept_findings)
            self._check_seq(self._open)
        return self._open

    def _disconnect(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _take_over(self, contents: Contents) -> None:
        self._checkpoint = contents.checkpoint or _NOTHING
        self._seq = contents.seq
        self._journal_bytes = self._number("SELECT sum(length(body)) FROM journal")
        rows = self._connection.execute("SELECT pipeline, block, length(body) FROM blocks")
        self._block_bytes = {(name, block): length for name, block, length in rows}

    # ------------------------------------------------------------------ what is known

    @property
    def path(self) -> Path:
        """The database."""
        return self._folder / database.DATABASE_FILE

    @property
    def resets(self) -> int:
        """How often a store was set aside in this folder."""
        return self._resets.value

    @property
    def nbytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return sum(_size(self.path.with_name(self.path.name + suffix)) for suffix in ("", "-wal"))

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the next commit should replace the journal."""
        limit = max(self._journal_limit, JOURNAL_SHARE * sum(self._block_bytes.values()))
        return not self._seq or self._journal_bytes > limit

    @property
    def last_finding(self) -> int:
        """The number of the last finding that was committed."""
        return self._findings.last

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of some finding ids that were committed before."""
        with database.translated(self.path):
            assert self._connection, "opened, or made anew"
            return self._findings.known(ids)

    def unpublished(self, published: int) -> list[NewFinding]:
        """Findings above a number: committed, and perhaps not shown to anybody."""
        return list(self._findings.after(published))

    def latest(self, count: int) -> list[Finding]:
        """The latest findings, newest first."""
        return self._findings.latest(count)

    # ------------------------------------------------------------------ the commit

    def commit(self, commit: Commit) -> None:
        """Make everything of a commit true, whole or not at all.

        Raises StoreUnwritableError when nothing can be written now; the same commit can be tried again.
        Raises StoreDamagedError when the database is not what was written, or is gone.
        """
        self._step("commit.begun")
        try:
            with database.translated(self.path):
                connection = self._connection
                self._check_place()
                connection.execute("BEGIN IMMEDIATE")
                self._write(commit)
                self._step("commit.written")
                connection.execute("COMMIT")
        except DupscopeError:
            self._disconnect()
            raise
        self._note(commit)
        self._step("commit.done")

    def _write(self, commit: Commit) -> None:
        self._findings.append(commit.findings)
        self._step("commit.findings")
        seq = self._seq + 1
        if commit.is_checkpoint:
            self._replace_journal(seq, commit)
            self._step("commit.checkpoint")
        else:
            self._append_journal(seq, commit)
            self._step("commit.journal")

    def _append_journal(self, seq: int, commit: Commit) -> None:
        parts: dict[str, list[int]] = {}
        body = bytearray()
        for name, part in commit.pipelines.items():
            sealed = seal([to_tree(part.entries), part.watch], f"journal/{seq}/{name}")
            parts[name] = [len(body), len(sealed)]
            body += sealed
        head = seal(self._head(commit, parts).tree(), f"journal/{seq}")
        self._connection.execute("INSERT INTO journal VALUES (?, ?, ?)", (seq, head, body))
        self._written = len(body)

    def _replace_journal(self, seq: int, commit: Commit) -> None:
        sums = {
            name: (part.configuration, self._write_pipeline(seq, name, part))
            for name, part in commit.pipelines.items()
        }
        self._step("commit.blocks")
        for gone in self._checkpoint.pipelines.keys() - sums.keys():
            self._connection.execute("DELETE FROM blocks WHERE pipeline = ?", (gone,))
            self._connection.execute("DELETE FROM meta WHERE name = ?", (f"pipeline/{gone}",))
        self._new_checkpoint = CheckpointHead(seq, self._head(commit, {}), sums)
        self._put_meta("checkpoint", seal(self._new_checkpoint.tree(), "checkpoint"))
        self._connection.execute("DELETE FROM journal")

    def _write_pipeline(self, seq: int, name: str, part: PipelineCommit) -> dict[int, int]:
        """Write what changed of a pipeline. Gives the checksums of all its blocks."""
        assert part.checkpoint is not None
        state = part.checkpoint.state
        _, sums = self._checkpoint.pipelines.get(name, ("", {}))
        sums = {block: sum_ for block, sum_ in sums.items() if block in state.held}
        for block, tree in state.blocks.items():
            body = seal(tree, f"blocks/{name}/{block}")
            self._connection.execute("REPLACE INTO blocks VALUES (?, ?, ?)", (name, block, body))
            sums[block] = checksum_of(body)
        self._connection.execute(
            "DELETE FROM blocks WHERE pipeline = ? AND (block < ? OR block >= ?)",
            (name, state.held.start, state.held.stop),
        )
        held: Plain = [state.held.start, state.held.stop]
        own: Plain = [state.small, part.watch, partition_trees(part.checkpoint.partitions), held]
        self._put_meta(f"pipeline/{name}", seal(own, f"pipeline/{name}/{seq}"))
        return sums

    def _put_meta(self, name: str, body: bytes) -> None:
        self._connection.execute("REPLACE INTO meta VALUES (?, ?)", (name, body))

    def _head(self, commit: Commit, parts: dict[str, list[int]]) -> Head:
        findings = self._findings.first, self._findings.last
        return Head(commit.number, commit.totals, commit.published, findings, parts)

    def _note(self, commit: Commit) -> None:
        """Remember what has become true."""
        if not self._seq:
            self._settle_folder()
        self._seq += 1
        self._witness.note(self._seq)
        if commit.is_checkpoint:
            self._checkpoint = self._new_checkpoint
            rows = self._connection.execute("SELECT pipeline, block, length(body) FROM blocks")
            self._block_bytes = {(name, block): length for name, block, length in rows}
            self._journal_bytes = 0
        else:
            self._journal_bytes += self._written

    def _check_place(self) -> None:
        """Notice that the folder was deleted or mounted anew: SQLite would write into a nameless file."""
        if self._identity not in {None, _identity(self.path)}:
            raise StoreDamagedError(f"{self.path}: is not the file any more that was opened", LOST)

    def _check_seq(self, connection: sqlite3.Connection) -> None:
        """Notice another database in a file that has the number of the one before."""
        if self._seq and last_seq(connection) != self._seq:
            raise StoreDamagedError(f"{self.path}: does not end with the last commit", "replaced")

    def _number(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def close(self) -> None:
        """Give up file and lock. What was committed stays."""
        self._disconnect()
        self._lock.release()


_NOTHING = CheckpointHead(0, Head(0, [], 0, (1, 0), {}), {})


def _nothing() -> None:
    """Nothing else lies there."""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _salvaged(folder: Path, name: str = database.DATABASE_FILE) -> Salvage:
    """What carries a right checksum in a damaged database: counters as a whole, findings one by one."""
    salvage = Salvage()
    with suppress(DupscopeError), database.believed(folder):
        connection = database.connect_reader(folder, name)
        try:
            for number in _salvage_head(connection, folder, salvage):
                with suppress(DupscopeError), database.believed(folder):
                    salvage.findings += numbered(connection, number)
        finally:
            connection.close()
    return salvage


def _salvage_head(connection: sqlite3.Connection, folder: Path, salvage: Salvage) -> range:
    """What the commits say, as far as that is intact. Gives the numbers of the findings that there were."""
    with suppress(DupscopeError), database.believed(folder):
        contents = Contents(connection)
        salvage.totals = contents.totals
        if contents.last is not None:
            salvage.published = contents.last.published
            first, salvage.last = contents.last.findings
            return range(first, salvage.last + 1)
    table = FindingTable(connection)
    salvage.last = table.last
    return range(table.first, table.last + 1)
