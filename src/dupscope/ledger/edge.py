"""The edge of the window: what lies below it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dupscope.ledger.settings import FUTURE_MS, LedgerSettings
from dupscope.model.batch import I64, RecordBatch
from dupscope.model.plain import Plain
from dupscope.model.position import OFFSET_BITS

NEVER = -(1 << 62)


@dataclass
class Edge:
    """How far back copies are held, in milliseconds. Both bounds only rise.

    `edge`: copies below it are expired. `floor`: a copy below it that would start a case is expired as
    well, since what it repeats could have been freed. Eviction raises the edge alone.
    """

    settings: LedgerSettings
    edge: int = NEVER
    floor: int = NEVER
    _newest: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def observe(self, batch: RecordBatch, slots: int, now_ms: int) -> None:
        """Note the timestamps of a batch. `slots` is the number of partition slots by now."""
        self._grow(slots)
        sane = batch.timestamp <= now_ms + FUTURE_MS
        where = (batch.position[sane] >> np.uint64(OFFSET_BITS)).astype(np.int64)
        np.maximum.at(self._newest, where, batch.timestamp[sane])

    def advance(self, read: list[int], end_seen_ms: I64, enumerated_ms: int | None = None) -> None:
        """Raise both bounds after a cycle. `read` are the slots that are tailed.

        Whatever lies in a partition that was added after `enumerated_ms` may still have to come.

        A partition was read to its end as of the moment when that was last known, which is not now while
        its brokers are away or after this process was stopped. 0: never yet.
        """
        self._grow(len(end_seen_ms))
        if not read:
            return
        seen = end_seen_ms[read]
        newest = np.maximum(np.where(seen > 0, seen, NEVER), self._newest[read])
        passed = int(newest.min()) if enumerated_ms is None else min(int(newest.min()), enumerated_ms)
        self.floor = max(self.floor, passed - self.settings.margin_ms)
        self.edge = max(self.edge, self.floor - self.settings.window_ms)

    def evict(self, timestamp: int) -> None:
        """Give up everything up to a timestamp."""
        self.edge = max(self.edge, timestamp + 1)

    def export(self) -> list[Plain]:
        """As plain values."""
        return [self.edge, self.floor, self._newest]

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        self.edge, self.floor, self._newest = state

    def _grow(self, slots: int) -> None:
        if len(self._newest) < slots:
            missing = np.full(slots - len(self._newest), NEVER, np.int64)
            self._newest = np.concatenate([self._newest, missing])
