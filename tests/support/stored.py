"""State folders as `run` leaves them, and what somebody may do to one behind its back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from dupscope.ledger.state import LedgerState
from dupscope.model.finding import Finding
from dupscope.model.plain import Plain
from dupscope.model.position import Partition
from dupscope.store.commit import Checkpoint, Commit, NewFinding, PipelineCommit
from dupscope.store.database import DATABASE_FILE
from dupscope.store.frame import seal
from dupscope.store.store import Store

NOTHING: Mapping[str, PipelineCommit] = {}


def store(
    folder: Path,
    findings: Iterable[Finding] = (),
    pipelines: Mapping[str, PipelineCommit] = NOTHING,
    totals: Iterable[Plain] = (),
) -> None:
    """Commit once more to a folder, which may be new, and let go of it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Store(folder)
    try:
        made.load()
        new = tuple(NewFinding(finding) for finding in findings)
        made.commit(Commit(made.load().seq + 1, pipelines, list(totals), new))
    finally:
        made.close()


def pipeline(identity: str, watch: Plain, partitions: list[Partition]) -> PipelineCommit:
    """A pipeline of which no key is held."""
    return PipelineCommit(identity, [], watch, Checkpoint(LedgerState({}, {}, range(0)), partitions))


def remove_finding(folder: Path, name: str) -> None:
    """Let a finding disappear."""
    with sqlite3.connect(folder / DATABASE_FILE) as connection:
        gone = connection.execute("DELETE FROM findings WHERE id = ?", (name,)).rowcount
    connection.close()
    assert gone == 1, name


def plant_finding(folder: Path, finding: Finding) -> None:
    """Let a finding appear that nobody made."""
    detected_ms = round(finding.detected_at * 1000)
    with sqlite3.connect(folder / DATABASE_FILE) as connection:
        (last,) = connection.execute("SELECT max(seq) FROM findings").fetchone()
        number = (last or 0) + 1
        body = seal([True, msgspec.json.encode(finding)], f"findings/{number}/{finding.id}/{detected_ms}")
        connection.execute(
            "INSERT INTO findings VALUES (?, ?, ?, ?)", (number, finding.id, detected_ms, body)
        )
    connection.close()
