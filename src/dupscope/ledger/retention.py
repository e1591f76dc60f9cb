"""Forgetting: by age below the edge of the window, and by need when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dupscope.ledger.casebook import Casebook
from dupscope.ledger.edge import Edge
from dupscope.ledger.rows import CASE, Freed, Rows
from dupscope.ledger.settings import FUTURE_MS
from dupscope.model.batch import I64, Bools
from dupscope.model.plain import Plain

BLOCK_SHARE = 16
"""The ring is freed in blocks of one part in this many of its rows."""


@dataclass(frozen=True, slots=True)
class Share:
    """What cases may take: a fixed part of the memory, and beyond that what rows leave unused."""

    memory_bytes: int
    least: float
    row_bytes: int

    def case_bytes(self, rows: int) -> float:
        """Bytes for cases beside so many rows."""
        return max(self.memory_bytes * self.least, self.memory_bytes - rows * self.row_bytes)


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
    share: Share
    on_free: Callable[[Freed], None]
    on_close: Callable[[int], None]
    evictions: int = 0
    evicted_until: int | None = None

    def export(self) -> list[Plain]:
        """As plain values."""
        return [self.evictions, self.evicted_until]

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        self.evictions, self.evicted_until = state

    def make_room(self, count: int, now_ms: int) -> None:
        """Evict until `count` rows fit."""
        while len(self.rows) and self.rows.room < count:
            self._evict(min(len(self.rows), max(self._block(), count)), now_ms)

    def fit_cases(self) -> None:
        """Give up the oldest cases until the rest fits, those that wait for nothing first.

        Their rows stay, so that whatever comes for these keys is counted as unverified.
        """
        limit = self.share.case_bytes(len(self.rows))
        if self.book.nbytes > limit:
            for judged in (True, False):
                for slot in [s for s, case in self.book.cases.items() if judged is not bool(case.suspects)]:
                    if self.book.nbytes <= 0.9 * limit:
                        return
                    self._give_up(slot)

    def _give_up(self, slot: int) -> None:
        last = self.book.cases[slot].last_timestamp
        self.on_close(slot)
        self.rows.set_timestamp(np.array([slot]), np.array([last]))
        self.rows.touch(np.array([slot]))
        self.evictions += 1

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
        return max(self.edge.settings.freed_rows, self.rows.limit // BLOCK_SHARE)

    def _expiry_block(self) -> int:
        return max(self.edge.settings.freed_rows, len(self.rows) // BLOCK_SHARE)

    def _dead(self, slots: I64) -> Bools:
        return np.asarray(self._last_timestamps(slots) < self.edge.edge)

    def _last_timestamps(self, slots: I64) -> I64:
        """The latest timestamp of each key's copies."""
        stamps = self.rows.timestamp(slots)
        for index in np.flatnonzero(self.rows.state[slots] & CASE):
            case = self.book.cases.get(int(slots[index]))
            stamps[index] = stamps[index] if case is None else case.last_timestamp
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
            slot = int(slots[index])
            if slot not in kept and slot in self.book.cases:
                self.on_close(slot)
        to = self.rows.repeat(keep) if len(keep) else keep
        for old, new in zip(keep.tolist(), to.tolist(), strict=True):
            if old in self.book.cases:
                self.book.move(old, new)
        freed = np.zeros(self.rows.capacity, np.bool_)
        freed[slots] = True
        order = np.argsort(keep)
        self.on_free(Freed(freed, keep[order], to[order]))
        self.rows.free(len(slots))
