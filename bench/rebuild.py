"""How fast a start rebuilds what was committed: from a checkpoint, and from a journal.

Usage: rebuild.py CORE write|read FOLDER KEYS JOURNALLED. `write` leaves a store with a checkpoint of the
first keys and a journal that brings the last JOURNALLED of them; `read` rebuilds the ledger. Each prints one
JSON object: seconds of its parts, bytes on disk, and the growth of the most memory that the process had.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from memory import TOPOLOGIES, cycles, new_ledger

from dupscope.ledger.cycle import Cycle
from dupscope.ledger.ledger import Ledger
from dupscope.store.commit import Checkpoint, Commit, PipelineCommit
from dupscope.store.entries import Entry, outcome_digest
from dupscope.store.store import Store

NAME = "payments"
TOPOLOGY = TOPOLOGIES["source+mirror+sink"]
NEVER = 1 << 60
"""Journal bytes after which a checkpoint is due of itself."""


def write(folder: Path, keys: int, journalled: int) -> dict[str, float]:
    ledger, store = new_ledger(TOPOLOGY, keys), Store(folder, journal_bytes=NEVER)
    store.load()
    figures: dict[str, float] = {}
    for cycle, end in counted(cycles(TOPOLOGY, keys)):
        entry = concluded(ledger, cycle)
        if end == keys - journalled:
            figures["checkpoint_seconds"] = committed(store, ledger, [])
            figures["checkpoint_bytes"] = store.path.stat().st_size
        elif end > keys - journalled:
            committed(store, ledger, [entry])
    figures["bytes"] = store.nbytes
    store.close()
    return figures


def counted(all_cycles: Iterator[Cycle]) -> Iterator[tuple[Cycle, int]]:
    """Each cycle, and how many keys there are after it."""
    total = 0
    for cycle in all_cycles:
        total += len(cycle.records[0])
        yield cycle, total


def concluded(ledger: Ledger, cycle: Cycle) -> Entry:
    outcome = ledger.observe(cycle)
    ledger.conclude(cycle, None, outcome)
    return Entry(cycle, None, (), outcome_digest(outcome))


def committed(store: Store, ledger: Ledger, entries: list[Entry]) -> float:
    """Commit a checkpoint, or entries where there are any; the seconds that it took."""
    began = time.perf_counter()
    partitions = ledger.held.partitions.partitions
    checkpoint = None if entries else Checkpoint(ledger.export(whole=True), list(partitions))
    store.commit(Commit(0, {NAME: PipelineCommit("same", entries, {}, checkpoint)}))
    return time.perf_counter() - began


def read(folder: Path, keys: int, _journalled: int) -> dict[str, float]:
    began = time.perf_counter()
    store = Store(folder)
    contents = store.load()
    checked = time.perf_counter()
    ledger = new_ledger(TOPOLOGY, keys)
    ledger.restore(contents.state(NAME, told).state)
    restored = time.perf_counter()
    for entry in contents.entries(NAME, told):
        assert concluded(ledger, entry.cycle).outcome == entry.outcome
    ended = time.perf_counter()
    assert len(ledger.held.rows) == keys, len(ledger.held.rows)
    store.close()
    return {
        "check_seconds": checked - began,
        "restore_seconds": restored - checked,
        "replay_seconds": ended - restored,
        "columns": ledger.held.rows.nbytes,
    }


def told(_bytes: int) -> None:
    """Nobody asks for progress."""


def main() -> None:
    core, what, folder, keys, journalled = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"write": write, "read": read}[what](Path(folder), int(keys), int(journalled))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**figures, "peak_bytes": (peak - before) * 1024}))


if __name__ == "__main__":
    main()
