"""How far each mirror has overtaken its upstream partitions: what was passed over is missing."""

from __future__ import annotations

import numpy as np

from dupscope.ledger.case import Case, Copy
from dupscope.ledger.cycle import padded
from dupscope.ledger.rows import CASE, Rows
from dupscope.ledger.view import View
from dupscope.model.batch import I64, U64
from dupscope.model.position import OFFSET_BITS, OFFSET_MASK, offset_of, slot_of
from dupscope.model.topology import SOURCE, Topology

CHUNK = 1 << 16


def split(packed: U64) -> tuple[I64, I64]:
    """Partition slots and offsets of packed positions."""
    slots = (packed >> np.uint64(OFFSET_BITS)).astype(np.int64)
    return slots, (packed & np.uint64(OFFSET_MASK)).astype(np.int64) - 1


class Frontier:
    """Per mirror and upstream partition: the largest upstream offset whose faithful copy arrived.

    Only copies matched by tag count, and only those that lie in what was read of the destination.
    `moved` tells that it rose since the last snapshot. Rows below `_complete` lack no copy in that mirror.
    """

    def __init__(self, topology: Topology, rows: Rows) -> None:
        self._topology = topology
        self._rows = rows
        self._reached = [np.zeros(0, np.int64) for _ in topology.logs]
        self._complete = [0 for _ in topology.logs]
        self.moved = False

    def advance(self, mirror: int, upstream: U64, timestamp: I64, covered_from: int | None) -> None:
        """Note upstream copies that were just paired by tag."""
        if covered_from is not None:
            upstream = upstream[timestamp >= covered_from]
        if not len(upstream):
            return
        slots, offsets = split(upstream)
        before = padded(self._reached[mirror], int(slots.max()) + 1)
        after = before.copy()
        np.maximum.at(after, slots, offsets)
        self.moved |= bool(np.any(after > before))
        self._reached[mirror] = after

    def advance_case(self, case: Case, copy: Copy, view: View, covered_from: dict[int, int | None]) -> None:
        """Note what one more copy of a case pairs by tag: of equal upstream copies the first counts."""
        for mirror in self._topology.mirrors:
            upstream = self._topology.logs[mirror].upstream or SOURCE
            if copy.log not in (mirror, upstream):
                continue
            tag = view.tag(copy, mirror)
            arrived = any(c.log == mirror and view.tag(c, mirror) == tag for c in case.copies)
            ups = [c for c in case.copies if c.log == upstream and view.tag(c, mirror) == tag]
            if arrived and ups:
                first = min(ups, key=view.order)
                position, stamp = np.array([first.position], np.uint64), np.array([first.timestamp])
                self.advance(mirror, position, stamp, covered_from[mirror])

    def snapshot(self) -> tuple[I64, ...]:
        """The present state, for a barrier."""
        self.moved = False
        return tuple(self._reached)

    def passed_over(self, mirror: int, confirmed: I64, limit: int) -> I64:
        """Slots of rows of the norm whose upstream copy was overtaken, at most `limit`."""
        rows = self._rows
        upstream = self._topology.logs[mirror].upstream or SOURCE
        found: list[I64] = []
        whole = True
        for start in range(max(rows.first, self._complete[mirror]), rows.next, CHUNK):
            slots = np.arange(start, min(start + CHUNK, rows.next), dtype=np.int64) % rows.capacity
            above = rows.position[upstream][slots]
            lacking = (above != 0) & (rows.position[mirror][slots] == 0) & (rows.state[slots] & CASE == 0)
            slots, above = slots[lacking], above[lacking]
            partition, offset = split(above)
            reach = padded(confirmed, int(partition.max(initial=-1)) + 1)
            found.append(slots[offset < reach[partition]])
            whole = whole and not len(slots) and start + CHUNK <= rows.next
            if whole:
                self._complete[mirror] = start + CHUNK
        return np.concatenate(found)[:limit] if found else np.empty(0, np.int64)

    def reopen(self, slots: I64) -> None:
        """Look again at rows that were complete: an upstream copy was entered late."""
        if len(slots):
            row = int(self._rows.numbers(slots).min())
            self._complete = [min(complete, row) for complete in self._complete]


def overtakes(position: int, confirmed: I64) -> bool:
    """Whether an upstream copy lies below the confirmed frontier of its partition."""
    slot = slot_of(position)
    return slot < len(confirmed) and offset_of(position) < int(confirmed[slot])
