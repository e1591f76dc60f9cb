"""A pipeline that runs for as long as one likes, on ledger and store alone: records come at an even pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import EffectBatch, RecordBatch
from dupscope.model.position import OFFSET_BITS, Partition, PartitionTable
from dupscope.model.topology import Log, Sink, Topology
from dupscope.store.commit import Checkpoint, Commit, NewFinding, PipelineCommit
from dupscope.store.entries import Entry, outcome_digest
from dupscope.store.store import Store

START_MS = 1_700_000_000_000
TOPOLOGY = Topology("pay", (Log("source", "a"), Log("dr", "b", (0,))), (Sink("charger", (1,)),))
SLOTS = len(TOPOLOGY.logs)


@dataclass
class Endless:
    """Each cycle brings `keys` new keys to both logs and the sink, and again the first `repeated` of them.

    `cycle_ms` lies between two cycles. `findings` is how many were reported.
    """

    folder: Path
    settings: LedgerSettings
    keys: int
    cycle_ms: int
    repeated: int = 0
    journal_bytes: int = 256 << 10
    kept_findings: int = 1000
    findings: int = 0
    _read: list[int] = field(default_factory=lambda: [0] * SLOTS)
    _stored: bool = False

    def __post_init__(self) -> None:
        self.table = PartitionTable()
        for log, each in enumerate(TOPOLOGY.logs):
            self.table.slot(Partition(log, each.cluster, "payments", "payments", "payments", 0))
        self.ledger = Ledger(TOPOLOGY, self.settings, self.table)
        self.store = Store(self.folder, journal_bytes=self.journal_bytes, findings=self.kept_findings)
        self.store.load()

    def run(self, cycles: range) -> Iterator[int]:
        """Read, judge and commit cycle by cycle; after each the bytes of the state folder."""
        for number in cycles:
            self._commit(number)
            yield sum(file.stat().st_size for file in self.folder.iterdir())

    def close(self) -> None:
        self.store.close()

    def _commit(self, number: int) -> None:
        cycle = self._cycle(number)
        outcome = self.ledger.observe(cycle)
        ends = np.array(self._read) if self.ledger.wants_barrier else None
        self.ledger.conclude(cycle, ends, outcome)
        entry = Entry(cycle, ends, (), outcome_digest(outcome))
        checkpoint = None
        if self.store.wants_checkpoint:
            checkpoint = Checkpoint(self.ledger.export(whole=not self._stored), self.table.partitions)
        part = PipelineCommit("same", [entry], {}, checkpoint)
        self.store.commit(Commit(number, {"pay": part}, findings=tuple(map(NewFinding, outcome.findings))))
        self._stored = True
        self.findings += len(outcome.findings)

    def _cycle(self, number: int) -> Cycle:
        draw = np.random.default_rng(number)
        fp_hi, fp_lo, content = draw.integers(1, 1 << 63, (3, self.keys), dtype=np.uint64)
        row = np.concatenate([np.arange(self.keys), np.arange(self.repeated)])
        now_ms = START_MS + number * self.cycle_ms
        stamps = np.full(len(row), now_ms)
        records = [
            RecordBatch(log, self._next(log, len(row)), stamps, fp_hi[row], fp_lo[row], content[row])
            for log in range(SLOTS)
        ]
        effects = EffectBatch(
            0,
            records[1].position,
            stamps,
            fp_hi[row],
            fp_lo[row],
            np.arange(1, len(row) + 1, dtype=np.uint32),
        )
        read = np.array(self._read)
        ended, nothing = np.ones(SLOTS, np.bool_), np.zeros(SLOTS, np.int64)
        progress = Progress(read, ended, list(range(SLOTS)), nothing, (None, None), (read,))
        return Cycle(number, now_ms, progress, records, [effects])

    def _next(self, log: int, count: int) -> np.ndarray:
        offsets = self._read[log] + np.arange(count)
        self._read[log] += count
        return ((log << OFFSET_BITS) | (offsets + 1)).astype(np.uint64)
