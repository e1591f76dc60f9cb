"""Forgetting: by age below the edge of the window, and by need when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dupscope.ledger.casebook import Casebook
from dupscope.ledger.edge import Edge
from dupscope.ledger.rows import CASE, Rows
from dupscope.ledger.settings import FUTURE_MS
from dupscope.model.batch import I64, Bools

BLOCK_SHARE = 16
"""The ring is freed in blocks of one part in this many of its rows."""

SMALLEST_BLOCK = 256


@dataclass
class Retention:
    """Frees the oldest rows of a ring, with their cases.

    `on_free` is told which slots (marked by slot) are about to be freed. `evictions` counts keys given up
    for want of memory; `evicted_until` is the latest timestamp among them, in ms.
    """

    rows: Rows
    book: Casebook
    edge: Edge
    case_bytes: int
    on_free: Callable[[Bools], None]
    on_close: Callable[[int], None]
    evictions: int = 0
    evicted_until: int | None = None

    def make_room(self, count: int, now_ms: int) -> None:
        """Evict until `count` rows fit and the cases are within their share."""
        while len(self.rows) and (self.rows.room < count or self.book.nbytes > self.case_bytes):
            self._evict(min(len(self.rows), max(self._block(), count)), now_ms)

    def expire(self) -> None:
        """Free blocks of rows that lie below the edge; the few that do not move to the front of the ring."""
        while len(self.rows) >= self._expiry_block():
            slots = self.rows.slots(self._expiry_block())
            dead = self._dead(slots)
            if np.count_nonzero(dead) < 0.75 * len(slots):
                return
            self._free(slots, keep=slots[~dead])

    def _block(self) -> int:
        return max(SMALLEST_BLOCK, self.rows.capacity // BLOCK_SHARE)

    def _expiry_block(self) -> int:
        return max(SMALLEST_BLOCK, len(self.rows) // BLOCK_SHARE)

    def _dead(self, slots: I64) -> Bools:
        dead = self.rows.timestamp(slots) < self.edge.edge
        for index in np.flatnonzero(self.rows.state[slots] & CASE):
            case = self.book.cases[int(slots[index])]
            dead[index] = case.last_timestamp < self.edge.edge
        return dead

    def _evict(self, count: int, now_ms: int) -> None:
        slots = self.rows.slots(count)
        stamps = self.rows.timestamp(slots)
        sane = stamps[stamps <= now_ms + FUTURE_MS]
        self.evictions += count
        if len(sane):
            self.evicted_until = max(self.evicted_until or 0, int(sane.max()))
            self.edge.evict(self.evicted_until)
        self._free(slots, keep=np.empty(0, np.int64))

    def _free(self, slots: I64, keep: I64) -> None:
        if len(keep) and self.rows.room < len(keep):
            keep = keep[:0]
        kept = set(keep.tolist())
        for index in np.flatnonzero(self.rows.state[slots] & CASE):
            if int(slots[index]) not in kept:
                self.on_close(int(slots[index]))
        if len(keep):
            to = self.rows.repeat(keep)
            for old, new in zip(keep.tolist(), to.tolist(), strict=True):
                if old in self.book.cases:
                    self.book.move(old, new)
        freed = np.zeros(self.rows.capacity, np.bool_)
        freed[slots] = True
        self.on_free(freed)
        self.rows.free(len(slots))
