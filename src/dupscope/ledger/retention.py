"""Forgetting: by age below the edge of the window, and by need when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dupscope.ledger.casebook import Casebook
from dupscope.ledger.edge import Edge
from dupscope.ledger.rows import CASE, Freed, Rows
from dupscope.ledger.settings import FUTURE_MS
from dupscope.model.batch import I64, Bools

BLOCK_SHARE = 16
"""The ring is freed in blocks of one part in this many of its rows."""

SMALLEST_BLOCK = 256


@dataclass
class Retention:
    """Frees the oldest rows of a ring, with their cases.

    `on_free` is told which slots are about to be freed, `on_close` which case goes with its slot.
    `evictions` counts keys given up for want of memory; `evicted_until` is the latest timestamp of their
    copies, in ms.
    """

    rows: Rows
    book: Casebook
    edge: Edge
    case_bytes: int
    on_free: Callable[[Freed], None]
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
            alive = len(slots) - np.count_nonzero(dead)
            if alive > 0.25 * len(slots) or alive > self.rows.room:
                return
            self._free(slots, keep=slots[~dead])

    def _block(self) -> int:
        return max(SMALLEST_BLOCK, self.rows.capacity // BLOCK_SHARE)

    def _expiry_block(self) -> int:
        return max(SMALLEST_BLOCK, len(self.rows) // BLOCK_SHARE)

    def _dead(self, slots: I64) -> Bools:
        return np.asarray(self._last_timestamps(slots) < self.edge.edge)

    def _last_timestamps(self, slots: I64) -> I64:
        """The latest timestamp of each key's copies."""
        stamps = self.rows.timestamp(slots)
        for index in np.flatnonzero(self.rows.state[slots] & CASE):
            stamps[index] = self.book.cases[int(slots[index])].last_timestamp
        return stamps

    def _evict(self, count: int, now_ms: int) -> None:
        slots = self.rows.slots(count)
        stamps = self._last_timestamps(slots)
        sane = stamps[stamps <= now_ms + FUTURE_MS]
        self.evictions += count
        if len(sane):
            self.evicted_until = max(self.evicted_until or 0, int(sane.max()))
            self.edge.evict(self.evicted_until)
        self._free(slots, keep=np.empty(0, np.int64))

    def _free(self, slots: I64, keep: I64) -> None:
        kept = set(keep.tolist())
        for index in np.flatnonzero(self.rows.state[slots] & CASE):
            if int(slots[index]) not in kept:
                self.on_close(int(slots[index]))
        keep = np.sort(keep)
        to = self.rows.repeat(keep) if len(keep) else keep
        for old, new in zip(keep.tolist(), to.tolist(), strict=True):
            if old in self.book.cases:
                self.book.move(old, new)
        freed = np.zeros(self.rows.capacity, np.bool_)
        freed[slots] = True
        self.on_free(Freed(freed, keep, to))
        self.rows.free(len(slots))
