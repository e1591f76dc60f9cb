"""What a key costs: a ledger filled with keys in the norm, in a process of its own.

Usage: memory.py CORE STAGES KEYS. Prints one JSON object with bytes per key: `resident`, the growth of the
process (after a malloc_trim, so that freed heap does not count), and `columns`, what the ledger's own
columns hold; and `seconds` for all the work.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.rows import bytes_per_key
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import EffectBatch, RecordBatch
from dupscope.model.position import OFFSET_BITS, Partition, PartitionTable
from dupscope.model.topology import Log, Sink, Topology

PARTITIONS = 64
BATCH = 50_000
NOW_MS = 1_800_000_000_000

SOURCE, MIRROR = Log("source", "a"), Log("to-dr", "b", (0,))
TOPOLOGIES = {
    "source": Topology("payments", (SOURCE,)),
    "source+mirror": Topology("payments", (SOURCE, MIRROR)),
    "source+mirror+sink": Topology("payments", (SOURCE, MIRROR), (Sink("charger", (1,)),)),
}


def resident_bytes() -> int:
    """The resident memory of this process, given back what the allocator keeps free."""
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def new_ledger(topology: Topology, keys: int) -> Ledger:
    table = PartitionTable()
    for log, each in enumerate(topology.logs):
        for number in range(PARTITIONS):
            table.slot(Partition(log, each.cluster, "payments", "payments", "payments", number))
    limit = int(keys * bytes_per_key(topology) * 1.5)
    return Ledger(topology, LedgerSettings(memory_bytes=limit), table)


def cycles(topology: Topology, keys: int) -> Iterator[Cycle]:
    """Keys in order of arrival, each once in every log and once at the sink."""
    draw = np.random.default_rng(7)
    slots = len(topology.logs) * PARTITIONS
    for number, start in enumerate(range(0, keys, BATCH), 1):
        row = np.arange(start, min(start + BATCH, keys))
        fp_hi, fp_lo, content = draw.integers(0, 1 << 64, (3, len(row)), dtype=np.uint64)
        stamps = NOW_MS - 60_000 + row // 1000
        positions = [_positions(log, row) for log in range(len(topology.logs))]
        records = [
            RecordBatch(log, position, stamps, fp_hi, fp_lo, content)
            for log, position in enumerate(positions)
        ]
        ids = content.astype(np.uint32)
        effects = [
            EffectBatch(sink, positions[each.reads[0]], stamps + 20, fp_hi, fp_lo, ids)
            for sink, each in enumerate(topology.sinks)
        ]
        nothing = np.zeros(slots, np.int64)
        progress = Progress(
            nothing,
            np.zeros(slots, np.bool_),
            list(range(slots)),
            nothing,
            (None,) * len(topology.logs),
            (nothing,) * len(topology.sinks),
        )
        yield Cycle(number, NOW_MS, progress, records, effects)


def _positions(log: int, row: np.ndarray) -> np.ndarray:
    slot = log * PARTITIONS + row % PARTITIONS
    return ((slot << OFFSET_BITS) | (row // PARTITIONS + 1)).astype(np.uint64)


def fill(ledger: Ledger, topology: Topology, keys: int) -> None:
    """Feed keys, and keep none of the batches that brought them."""
    for cycle in cycles(topology, keys):
        ledger.conclude(cycle, None, ledger.observe(cycle))


def main() -> None:
    core, stages, keys = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.sched_setaffinity(0, {int(core)})
    topology = TOPOLOGIES[stages]
    fill(new_ledger(topology, BATCH), topology, BATCH)
    before, ledger, began = resident_bytes(), new_ledger(topology, keys), time.process_time()
    fill(ledger, topology, keys)
    seconds = time.process_time() - began
    assert len(ledger.held.rows) == keys, "every key has its row"
    assert not ledger.held.book.cases, "all keys are in the norm"
    print(
        json.dumps(
            {
                "resident": (resident_bytes() - before) / keys,
                "columns": ledger.held.rows.nbytes / keys,
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
