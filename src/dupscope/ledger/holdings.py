"""Everything that the ledger of one pipeline holds, and the few questions that all its parts ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from dupscope.ledger.balance import line, noteworthy
from dupscope.ledger.barrier import Barriers
from dupscope.ledger.case import Case
from dupscope.ledger.casebook import Casebook
from dupscope.ledger.cycle import Cycle, padded
from dupscope.ledger.edge import Edge
from dupscope.ledger.expected import Expected
from dupscope.ledger.frontier import CHUNK, Frontier, split
from dupscope.ledger.gaps import Gaps
from dupscope.ledger.judge import judge
from dupscope.ledger.orphans import Orphans
from dupscope.ledger.retention import Retention, Share
from dupscope.ledger.rows import CASE, Freed, Rows, bytes_per_key
from dupscope.ledger.settings import LedgerSettings
from dupscope.ledger.state import LazyBlocks, LedgerState
from dupscope.ledger.view import View
from dupscope.ledger.windows import cut
from dupscope.model.batch import I64
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable, offset_of, slot_of
from dupscope.model.topology import Topology

ROWS_SHARE = 0.75
"""Share of the memory limit that is for rows; the rest is for cases."""


class Holdings:
    """Rows, cases, suspects, barriers, frontier and edge of one pipeline."""

    def __init__(self, topology: Topology, settings: LedgerSettings, partitions: PartitionTable) -> None:
        self.topology = topology
        self.settings = settings
        self.partitions = partitions
        capacity = int(settings.memory_bytes * ROWS_SHARE / bytes_per_key(topology))
        self.rows = Rows(topology, max(4 * settings.freed_rows, capacity), settings.block_rows)
        self.book = Casebook(topology, self.rows)
        self.edge = Edge(settings)
        self.barriers = Barriers(topology, partitions)
        self.orphans = Orphans(topology, self.rows)
        self.frontier = Frontier(topology, self.rows, partitions)
        self.expected = Expected(topology, self.rows)
        self.gaps = Gaps(settings.margin_ms)
        self.closed: list[dict[str, object]] = []
        self.expired: Counter[tuple[Layer, str, Reason]] = Counter()
        self.retention = Retention(
            self.rows,
            self.book,
            self.edge,
            Share(settings.memory_bytes, 1 - ROWS_SHARE, bytes_per_key(topology)),
            self._on_free,
            self.close,
        )
        self.last_view: View | None = None
        self._begun = np.zeros(0, np.int64)
        self._forgotten = np.zeros(0, np.int64)

    # what is stored

    def export(self, *, whole: bool) -> LedgerState:
        """Rows and cases that changed since the last export, or all; and everything else."""
        blocks = list(self.rows.blocks) if whole else self.rows.changed_blocks()
        rows_of, cases_of = self.rows.export(blocks), self.book.export(blocks)
        self.rows.settle()
        small: dict[str, Plain] = {
            "rows": [self.rows.first, self.rows.next],
            "next_serial": self.book.next_serial,
            "edge": self.edge.export(),
            "barriers": self.barriers.export(),
            "orphans": self.orphans.export(),
            "frontier": self.frontier.export(),
            "gaps": self.gaps.export(),
            "retention": self.retention.export(),
            "expected": self.expected.export(),
            "begun": self._begun,
            "forgotten": self._forgotten,
        }
        stored = LazyBlocks(blocks, lambda block: {**rows_of(block), "cases": cases_of(block)})
        return LedgerState(small, stored, self.rows.blocks)

    def restore(self, state: LedgerState) -> None:
        """Hold what was exported. Only where nothing is held yet."""
        small: dict[str, Any] = state.small
        first, stop = small["rows"]
        self.rows.restore(first, stop, self._taken(state, first))
        self.book.in_order(small["next_serial"])
        self.edge.restore(small["edge"])
        self.barriers.restore(small["barriers"])
        self.orphans.restore(small["orphans"])
        self.frontier.restore(small["frontier"])
        self.gaps.restore(small["gaps"])
        self.retention.restore(small["retention"])
        if "expected" in small:
            self.expected.restore(small["expected"])
        self._begun, self._forgotten = small["begun"], small["forgotten"]

    def _taken(self, state: LedgerState, first: int) -> Iterator[dict[str, Any]]:
        """The blocks one by one; their cases are taken on the way."""
        for number in state.held:
            block: dict[str, Any] = state.blocks[number]
            self.book.restore(block["cases"], first)
            yield block

    # what may be judged

    def view(self, cycle: Cycle, gone_past: tuple[I64, ...]) -> View:
        """The state of reading in this cycle."""
        size, progress = len(self.partitions), cycle.progress
        self._begun = padded(progress.begun, size)
        self.last_view = View(
            self.topology,
            self.settings,
            self.partitions,
            self.covered_since(cycle),
            tuple(padded(column, size) for column in self.barriers.judged_until),
            tuple(self.barriers.through[-1 - sink] for sink in range(len(self.topology.sinks))),
            tuple(padded(column, size) for column in self.barriers.frontier),
            tuple(padded(column, size) for column in gone_past),
            progress.truncated,
            self.why_no_copy,
            self.gaps,
            cycle.replays,
            {topic: self._not_evicted(start) for topic, start in progress.covered_topics.items()},
            _each_padded(progress.settled, size),
            _each_padded(progress.settled_from, size),
            self.edge.edge,
            self.expected.lost(size),
            self.expected.since_ms,
        )
        return self.last_view

    def covered_since(self, cycle: Cycle) -> tuple[int | None, ...]:
        """Coverage start by log, in ms; eviction moves all of them."""
        return tuple(self._not_evicted(start) for start in cycle.progress.covered_since)

    def _not_evicted(self, start: int | None) -> int | None:
        evicted = self.retention.evicted_until
        if evicted is None or start is None:
            return start if evicted is None else evicted
        return max(start, evicted)

    def covered_from(self, log: int, cycle: Cycle) -> int | None:
        """From when on a log is covered with its margin; None: from the beginning."""
        start = self.covered_since(cycle)[log]
        return None if start is None else start + self.settings.margin_ms

    def why_no_copy(self, position: int) -> Reason:
        """Why no copy of an effect's key lies at its position."""
        slot, offset = slot_of(position), offset_of(position)
        if slot < len(self._begun) and offset < int(self._begun[slot]):
            return Reason.BEFORE_COVERAGE
        if slot < len(self._forgotten) and offset < int(self._forgotten[slot]):
            return Reason.EXPIRED
        return Reason.POSITION_MISMATCH if self._holds(position) else Reason.NO_COPY

    def _holds(self, position: int) -> bool:
        """Whether a record of another key lies at a position. Scans."""
        column = self.rows.position[self.partitions[slot_of(position)].log]
        wanted = np.uint64(position)
        for start in range(self.rows.first, self.rows.next, CHUNK):
            stop = min(start + CHUNK, self.rows.next)
            slots = np.arange(start, stop, dtype=np.int64) % self.rows.capacity
            if np.any(column[slots] == wanted):
                return True
        return any(c.position == position for case in self.book.cases.values() for c in case.copies)

    # what is held

    def reopen(self, log: int, filled: I64) -> None:
        """Look again for missing copies in rows that got an upstream copy late."""
        for mirror in self.topology.mirrors:
            if log in self.topology.logs[mirror].upstream:
                self.frontier.reopen(filled[self.rows.position[mirror][filled] == 0])

    def find(self, fp: tuple[int, int]) -> int:
        """The row slot of a key, -1 if there is none; what lies below the edge is forgotten first."""
        slot = self.rows.find_one(*fp)
        if slot < 0:
            return slot
        case = self.book.cases.get(slot)
        if case is None:
            return -1 if self.rows.timestamp_of(slot) < self.edge.edge else slot
        if case.last_timestamp >= self.edge.edge:
            return slot
        self.close(slot)
        self.rows.clear(slot)
        return -1

    def why_lost(self, slot: int, timestamp: int) -> Reason | None:
        """Why a copy for a row cannot be taken in, at no cost; None if it can."""
        if timestamp < self.edge.edge or self.is_forgotten(slot):
            return Reason.EXPIRED
        case = self.book.cases.get(slot)
        full = case is not None and case.hot and case.pruned_below == self.edge.edge
        return Reason.HOT_KEY if full else None

    def is_forgotten(self, slot: int) -> bool:
        """Whether a row's case was given up for want of memory: nothing can be said of its key any more."""
        return slot >= 0 and bool(self.rows.state[slot] & CASE) and slot not in self.book.cases

    def prune(self, case: Case, view: View) -> bool:
        """Drop the windows of a key that lie below the edge; true if there were any."""
        case.pruned_below = self.edge.edge
        old = [
            copy
            for window in cut(case, view).windows
            if all(c.timestamp < self.edge.edge for copies in window.copies for c in copies)
            for copies in window.copies
            for copy in copies
        ]
        gone = set(old)
        positions = {copy.position for copy in old}
        before = case.nbytes
        case.copies = [copy for copy in case.copies if copy not in gone]
        case.effects = [effect for effect in case.effects if effect.position not in positions]
        self.book.nbytes += case.nbytes - before
        self.book.touch(case)
        return bool(old)

    def close(self, slot: int) -> None:
        """Forget a case, keeping its lines for the ledger file."""
        self._count_expired(self.book.cases[slot])
        case = self.book.close(slot)
        if self.settings.keep_lines and self.last_view is not None:
            self.closed += self.lines(case, self.last_view)

    def lines(self, case: Case, view: View) -> list[dict[str, object]]:
        """The lines of a key for the ledger file."""
        return [line(case, part, view) for part in judge(case, view).windows if noteworthy(part)]

    def _count_expired(self, case: Case) -> None:
        """Count what is forgotten before it could be judged."""
        view = self.last_view
        if view is None:
            return
        for stage in case.suspects:
            if stage >= 0:
                copies = [c for c in case.copies if c.log == stage and not c.excess and not c.unverified]
                lost = sum(1 for copy in copies if not view.admitted(copy))
                self.expired[Layer.MIRROR, self.topology.logs[stage].name, Reason.EXPIRED] += lost
            else:
                sink = -1 - stage
                mine = [e for e in case.effects if e.sink == sink and not e.unverified]
                unjudged = [effect for effect in mine if effect.cycle > view.effects_through[sink]]
                self.expired[Layer.CONSUME, self.topology.sinks[sink].name, Reason.EXPIRED] += len(unjudged)
                for effect in unjudged:
                    self.expected.lose(effect)

    def _on_free(self, freed: Freed) -> None:
        for mirror, lost in self.orphans.forget(freed).items():
            self.expired[Layer.MIRROR, self.topology.logs[mirror].name, Reason.EXPIRED] += lost
        self.frontier.forget(freed)
        self._forget_positions(freed)

    def _forget_positions(self, freed: Freed) -> None:
        """Note how far into each partition records were forgotten."""
        gone = np.setdiff1d(np.flatnonzero(freed.marked), freed.old)
        self._forgotten = padded(self._forgotten, len(self.partitions)).copy()
        for column in self.rows.position:
            slots, offsets = split(column[gone][column[gone] != 0])
            np.maximum.at(self._forgotten, slots, offsets + 1)


def _each_padded(columns: tuple[I64, ...], size: int) -> tuple[I64, ...]:
    """Columns by slot, lengthened; an empty one stands for none."""
    return tuple(padded(column, size) if len(column) else column for column in columns)
