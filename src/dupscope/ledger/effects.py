"""Effects on their way into rows: most belong to a copy that is there, the rest waits or needs a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dupscope.ledger.rows import CASE, NO_POSITION, UNEXPLAINED, Rows
from dupscope.model.batch import I64, Bools, EffectBatch, no_effects
from dupscope.model.plain import Plain
from dupscope.model.topology import Topology

ENTERED = -2
"""In place of a slot: the effect went into its row."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Effects whose record was not read yet, with the cycle in which each line was read."""

    batch: EffectBatch
    cycle: I64

    def __len__(self) -> int:
        return len(self.batch)


def nothing_waiting(sink: int) -> Waiting:
    """No effect."""
    return Waiting(no_effects(sink), np.empty(0, np.int64))


def joined(old: Waiting, new: EffectBatch, cycle: int) -> Waiting:
    """Effects that waited before and those of this cycle, in the order of the audit log."""
    columns = [
        np.concatenate([getattr(old.batch, name), getattr(new, name)])
        for name in ("position", "at", "fp_hi", "fp_lo", "effect_id")
    ]
    cycles = np.concatenate([old.cycle, np.full(len(new), cycle, np.int64)])
    return Waiting(EffectBatch(new.sink, *columns), cycles)


def taken(waiting: Waiting, picked: Bools) -> Waiting:
    """Some of the effects, in the same order."""
    batch = waiting.batch
    return Waiting(
        EffectBatch(
            batch.sink,
            batch.position[picked],
            batch.at[picked],
            batch.fp_hi[picked],
            batch.fp_lo[picked],
            batch.effect_id[picked],
        ),
        waiting.cycle[picked],
    )


def waiting_tree(waiting: Waiting) -> list[Plain]:
    """Effects as plain values."""
    batch = waiting.batch
    return [batch.position, batch.at, batch.fp_hi, batch.fp_lo, batch.effect_id, waiting.cycle]


def waiting_of(sink: int, tree: Sequence[Any]) -> Waiting:
    """The effects of a sink again."""
    *columns, cycle = tree
    return Waiting(EffectBatch(sink, *columns), cycle)


@dataclass(frozen=True, slots=True)
class EffectScreen:
    """Screens effects of one pipeline into its rows."""

    topology: Topology
    rows: Rows

    def observe(self, waiting: Waiting) -> tuple[Bools, I64]:
        """Enter what fits. Returns which effects need a look, and the slot of each effect's row.

        The slot is -1 where there is no row, ENTERED where the effect is done. All others keep waiting.
        """
        rows, batch = self.rows, waiting.batch
        order = np.argsort(batch.fp_lo, kind="stable")
        low = batch.fp_lo[order]
        slots = np.empty(len(batch), np.int64)
        slots[order] = rows.find(batch.fp_hi[order], low)
        repeated = np.zeros(len(batch), np.bool_)
        repeated[order[1:]] = low[1:] == low[:-1]
        found = slots >= 0
        case = found & (rows.state[np.where(found, slots, 0)] & CASE != 0)
        read = self._read(batch, slots, found & ~case)
        free = rows.read[batch.sink][np.where(found, slots, 0)] == 0
        fits = (read > 0) & free & ~repeated & ~self._closed(slots, read)
        self._enter(batch, slots, fits, read)
        look = case | ((read > 0) & ~fits)
        slots[fits] = ENTERED
        return look, slots

    def _closed(self, slots: I64, read: I64) -> Bools:
        """Effects on a copy that was closed without an upstream copy: they are lost with it."""
        closed = np.zeros(len(slots), np.bool_)
        placed = np.flatnonzero((read > 0) & (read != NO_POSITION))
        closed[placed] = self.rows.state[slots[placed]] & UNEXPLAINED != 0
        return closed

    def _read(self, batch: EffectBatch, slots: I64, candidates: Bools) -> I64:
        """Of each effect: 0 its copy is not in its row, NO_POSITION, or 1 + log of the copy."""
        rows = self.rows
        read = np.zeros(len(batch), np.int64)
        where = np.flatnonzero(candidates)
        for log in self.topology.sinks[batch.sink].reads:
            same = rows.position[log][slots[where]] == batch.position[where]
            read[where[same & (batch.position[where] != 0)]] = 1 + log
        floating = where[batch.position[where] == 0]
        timely = batch.at[floating] >= rows.timestamp(slots[floating])
        sourced = rows.sourced(slots[floating]) != 0
        read[floating[timely & sourced]] = NO_POSITION
        return read

    def _enter(self, batch: EffectBatch, slots: I64, fits: Bools, read: I64) -> None:
        rows, sink, where = self.rows, batch.sink, slots[fits]
        rows.touch(where)
        rows.read[sink][where] = read[fits]
        rows.effect_id[sink][where] = batch.effect_id[fits]
        delay = batch.at[fits] - rows.timestamp(where)
        rows.at[sink][where] = np.clip(delay, 0, 0xFFFFFFFF).astype(np.uint32)
