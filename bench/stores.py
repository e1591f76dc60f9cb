"""Stores for contestants: one that is timed, and one that keeps nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from dupscope.model.finding import Finding
from dupscope.store import database
from dupscope.store.commit import Commit, NewFinding, PipelineCommit
from dupscope.store.contents import Contents
from dupscope.store.store import Store


class TimedStore(Store):
    """The product's store, which notes how long its commits take and how many bytes they write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._commits: list[float] = []
        self._checkpoints: list[float] = []
        self._journalled = self._records = 0
        self._peak = 0

    def commit(self, commit: Commit) -> None:
        began = time.perf_counter()
        super().commit(commit)
        seconds = time.perf_counter() - began
        (self._checkpoints if commit.is_checkpoint else self._commits).append(seconds)
        if not commit.is_checkpoint:
            self._journalled += self._written
            self._records += sum(map(_records, commit.pipelines.values()))
        self._peak = max(self._peak, self.nbytes)

    def figures(self) -> dict[str, float]:
        """Counts, seconds and bytes by name."""
        return {
            "seconds": sum(self._commits) + sum(self._checkpoints),
            "journal_bytes": self._journalled,
            "journalled": self._records,
            "peak_bytes": self._peak,
            **_summary("commit", self._commits),
            **_summary("checkpoint", self._checkpoints),
        }


class ForgetfulStore:
    """Has the interface of a store, encodes nothing and writes nothing."""

    nbytes = resets = last_finding = 0
    wants_checkpoint = False
    path = Path("nowhere")

    def load(self) -> Contents:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(database.SCHEMA)
        return Contents(self._connection)

    def known(self, _ids: Iterable[str]) -> set[str]:
        return set()

    def unpublished(self, _published: int) -> list[NewFinding]:
        return []

    def latest(self, _count: int) -> list[Finding]:
        return []

    def commit(self, _commit: Commit) -> None:
        """Nothing becomes true."""

    def figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        self._connection.close()


def _records(part: PipelineCommit) -> int:
    return sum(len(batch) for entry in part.entries for batch in entry.cycle.records)


def _summary(name: str, seconds: list[float]) -> dict[str, float]:
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return {f"{name}s": len(seconds), f"{name}_mean": mean, f"{name}_max": max(seconds, default=0.0)}
