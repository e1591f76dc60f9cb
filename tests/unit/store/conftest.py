"""A store with a small pipeline in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import RecordBatch
from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Partition, PartitionTable, Position, pack
from dupscope.model.topology import Log, Topology
from dupscope.store.commit import Checkpoint, Commit, NewFinding, PipelineCommit
from dupscope.store.entries import Entry, outcome_digest
from dupscope.store.store import Store

NOW_MS = 1_800_000_000_000
TOPOLOGY = Topology("payments", (Log("source", "a"),))


def finding(number: int, **fields: object) -> Finding:
    """One of many findings; detected a second after the one before."""
    return Finding(**{
        "id": f"id-{number}",
        "pipeline": "payments",
        "layer": Layer.PRODUCE,
        "stage": "source",
        "topic": "payments",
        "kind": Kind.CONFLICTING,
        "position": Position("cluster", "topic-id", "payments", 3, number),
        "first": None,
        "fingerprint": "00ff",
        "detected_at": 1000.0 + number,
        "timestamp": 900.5,
        "gap_seconds": 0.25,
        **fields,
    })  # fmt: skip


class Pipeline:
    """A ledger that reads one partition, and what there is to commit of it."""

    def __init__(self) -> None:
        self.table = PartitionTable()
        self.table.slot(Partition(0, "cluster", "topic-id", "payments", "payments", 0))
        self.ledger = self.fresh()
        self.number = 0
        self.entries: list[Entry] = []

    def fresh(self) -> Ledger:
        return Ledger(TOPOLOGY, LedgerSettings(memory_bytes=1 << 20, block_rows=4), self.table)

    def read(self, *keys: int) -> None:
        """One cycle, in which a record of each key is read."""
        first = sum(len(b) for e in self.entries for b in e.cycle.records) + 1000 * self.number
        self.number += 1
        columns = np.array(keys, np.uint64)
        batch = RecordBatch(
            0,
            np.array([pack(0, first + index) for index in range(len(keys))], np.uint64),
            np.full(len(keys), NOW_MS, np.int64),
            columns,
            columns,
            columns,
        )
        end = np.array([first + len(keys)])
        progress = Progress(end, np.array([True]), [0], np.zeros(1, np.int64), (None,), ())
        cycle = Cycle(self.number, NOW_MS + self.number, progress, [batch])
        outcome = self.ledger.observe(cycle)
        self.ledger.conclude(cycle, None, outcome)
        partitions = tuple(self.table.partitions) if self.number == 1 else ()
        self.entries.append(Entry(cycle, None, partitions, outcome_digest(outcome)))

    def commit(self, *findings: Finding, checkpoint: bool = False, whole: bool = False) -> Commit:
        """What was read since the commit before."""
        entries, self.entries = self.entries, []
        state = Checkpoint(self.ledger.export(whole=whole), self.table.partitions) if checkpoint else None
        part = PipelineCommit("configured", entries, {"at": self.number}, state)
        totals = [["records_total", ["payments", "source", "payments"], float(self.number)]]
        new = tuple(NewFinding(each) for each in findings)
        return Commit(self.number, {"payments": part}, totals, new, published=self.number)


@dataclass
class Opened:
    """Stores of one folder that are closed in the end."""

    folder: Path
    stores: list[Store]

    def __call__(self, **settings: object) -> Store:
        for store in self.stores:
            store.close()
        self.stores = [Store(self.folder, **settings)]
        return self.stores[0]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens the store of a folder; an earlier one is closed."""
    opener = Opened(tmp_path, [])
    yield opener
    for store in opener.stores:
        store.close()


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()
