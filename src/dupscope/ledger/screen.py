"""The screen: columns in; what stays in the norm goes into rows, the rest needs a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dupscope.ledger.edge import Edge
from dupscope.ledger.rows import CASE, REDRIVEN, UNEXPLAINED, Rows
from dupscope.ledger.view import content_mask
from dupscope.model.batch import I64, Bools, RecordBatch
from dupscope.model.topology import Topology


@dataclass(frozen=True, slots=True)
class Screened:
    """What became of a batch.

    look      indices of records that need a look, ascending
    expired   number of records below the edge, or that would start a case below the floor
    orphans   slots of rows that now hold a downstream copy without its upstream copy
    filled    slots of older rows that got one more copy
    paired    by mirror: slots of rows in which its copy was just paired by tag with the upstream copy
    """

    look: I64
    expired: int
    orphans: I64
    filled: I64
    paired: dict[int, I64]


def same_tag(rows: Rows, slots: I64, batch: RecordBatch, picked: I64, mirror: tuple[Topology, int]) -> Bools:
    """Whether records have the tag that a mirror would preserve of the rows' content."""
    parts = mirror[0].logs[mirror[1]].tag
    mask = np.uint64(content_mask(parts))
    same = ((rows.content[slots] ^ batch.content[picked]) & mask) == 0
    if parts.timestamp:
        same &= rows.timestamp(slots) == np.maximum(batch.timestamp[picked], 0)
    return np.asarray(same)


@dataclass(frozen=True, slots=True)
class Screen:
    """Screens the batches of one pipeline into its rows."""

    topology: Topology
    rows: Rows

    def observe(self, batch: RecordBatch, edge: Edge) -> Screened:
        """Take over a batch of one log. Rows must have room for all of it."""
        order = np.argsort(batch.fp_lo, kind="stable")
        order = order[batch.timestamp[order] >= edge.edge]
        low = batch.fp_lo[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = low[1:] != low[:-1]
        slots = np.full(len(order), -1, np.int64)
        slots[first] = self._held(batch, order[first], edge)
        new = first & (slots < 0)
        born = new & (batch.timestamp[order] >= edge.floor)
        late = int(np.count_nonzero(new & ~born))
        entered = self._append(batch, order[born])
        self._forsake(batch, order[new & ~born])
        hit = first & ~new
        fits = self._fits(batch, order[hit], slots[hit])
        taken, where = order[hit][fits], slots[hit][fits]
        orphans, paired = self._place(batch, taken, where)
        look = np.sort(np.concatenate([order[~first], order[hit][~fits]]))
        if not self.topology.is_source(batch.log):
            orphans = np.concatenate([orphans, entered])
        return Screened(look, len(batch) - len(order) + late, orphans, where, paired)

    def _held(self, batch: RecordBatch, picked: I64, edge: Edge) -> I64:
        """Slots of the rows of these records; rows of the norm below the edge count as freed."""
        slots = self.rows.find(batch.fp_hi[picked], batch.fp_lo[picked])
        found = np.flatnonzero(slots >= 0)
        where = slots[found]
        gone = (self.rows.state[where] & CASE == 0) & (self.rows.timestamp(where) < edge.edge)
        slots[found[gone]] = -1
        return slots

    def _append(self, batch: RecordBatch, picked: I64) -> I64:
        slots = self.rows.append(
            batch.fp_hi[picked], batch.fp_lo[picked], batch.timestamp[picked], batch.content[picked]
        )
        self.rows.position[batch.log][slots] = batch.position[picked]
        self._mark(batch, picked, slots)
        return slots

    def _mark(self, batch: RecordBatch, picked: I64, slots: I64) -> None:
        """Keep with a source copy that it is an intended replay. A mirror carries the mark along unasked."""
        if batch.redriven is not None and self.topology.is_source(batch.log):
            self.rows.state[slots[batch.redriven[picked]]] |= REDRIVEN

    def _forsake(self, batch: RecordBatch, picked: I64) -> None:
        """Keep the keys of copies that come too late: what follows could be explained by them alone."""
        if len(picked) and self.topology.is_copied(batch.log):
            self.rows.state[self._append(batch, picked)] = CASE

    def _fits(self, batch: RecordBatch, picked: I64, slots: I64) -> Bools:
        """Which records leave their row in the norm: the first in their log, with the tag of the row.

        In all sources together there is one copy, and what lies in a mirror descends from it.
        """
        rows, log = self.rows, batch.log
        fits: Bools = (rows.state[slots] & CASE == 0) & (rows.position[log][slots] == 0)
        if self.topology.is_source(log):
            fits &= rows.state[slots] & UNEXPLAINED == 0
        if not self.topology.is_source(log):
            fits &= same_tag(rows, slots, batch, picked, (self.topology, log))
        foreign = set(self.topology.sources) - set(self.topology.sources_of(log))
        for source in foreign:
            fits &= rows.position[source][slots] == 0
        for mirror in self.topology.mirrors if self.topology.is_source(log) else ():
            absent = rows.position[mirror][slots] == 0
            if log in self.topology.sources_of(mirror):
                fits &= absent | same_tag(rows, slots, batch, picked, (self.topology, mirror))
            else:
                fits &= absent
        return fits

    def _place(self, batch: RecordBatch, picked: I64, slots: I64) -> tuple[I64, dict[int, I64]]:
        """Enter fitting records into their rows. Returns new orphans and the rows paired, by mirror."""
        rows, log = self.rows, batch.log
        rows.touch(slots)
        rows.position[log][slots] = batch.position[picked]
        if self.topology.is_source(log):
            rows.content[slots] = batch.content[picked]
            rows.set_timestamp(slots, batch.timestamp[picked])
            self._mark(batch, picked, slots)
        paired = {}
        orphans = np.empty(0, np.int64)
        if not self.topology.is_source(log):
            known = rows.above(log, slots) != 0
            orphans, paired[log] = slots[~known], slots[known]
        for mirror in self.topology.mirrors:
            if log in self.topology.logs[mirror].upstream:
                paired[mirror] = slots[rows.position[mirror][slots] != 0]
        return orphans, paired

    def insert_one(self, batch: RecordBatch, index: int) -> int:
        """Start a row with one record. Returns its slot."""
        return int(self._append(batch, np.array([index]))[0])
