"""Offsets that compaction left without a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from dupscope.model.batch import I64, Gap


class GapFinder:
    """Follows offsets from read to read and tells the spans without a record between consecutive records.

    What a transaction leaves (markers, aborted records) is such a span too: the two cannot be told apart.
    """

    def __init__(self) -> None:
        self._next = np.empty(0, np.int64)
        self._timestamp = np.empty(0, np.int64)

    def begin(self, slot: int, offset: int, newest_ms: int = 0) -> None:
        """Reading of a slot begins, or begins anew, at `offset`.

        `newest_ms` is the timestamp of the record before it, 0 where that is not known.
        """
        missing = slot + 1 - len(self._next)
        if missing > 0:
            self._next = np.pad(self._next, (0, missing))
            self._timestamp = np.pad(self._timestamp, (0, missing))
        self._next[slot], self._timestamp[slot] = offset, newest_ms

    def records(self, slots: I64, offsets: I64, timestamps: I64, compacted: Collection[int]) -> list[Gap]:
        """Take records, each slot's in the order of its log; the gaps before those of `compacted` slots.

        Before the first record since `begin` a gap has `since_ms` 0.
        """
        gaps: list[Gap] = []
        mine = np.isin(slots, list(compacted)) if compacted else np.zeros(1, np.bool_)
        if mine.any():
            gaps = self._gaps(slots[mine], offsets[mine], timestamps[mine])
        self._next[slots] = offsets + 1  # of a slot's several records the last one stays
        self._timestamp[slots] = timestamps
        return gaps

    def starts(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Where the span without a record begins that reaches up to a position; of slots that have one."""
        expected = self._next[list(positions)].tolist()
        pairs = zip(positions.items(), expected, strict=True)
        return {slot: start for (slot, position), start in pairs if start < position}

    def newest_ms(self, slots: Collection[int]) -> dict[int, int]:
        """The timestamp of each slot's last record, of those where it is known."""
        newest = self._timestamp[list(slots)].tolist()
        return {slot: timestamp for slot, timestamp in zip(slots, newest, strict=True) if timestamp}

    def _gaps(self, slots: I64, offsets: I64, timestamps: I64) -> list[Gap]:
        order = np.argsort(slots, kind="stable")
        slots, offsets, timestamps = slots[order], offsets[order], timestamps[order]
        expected, since = np.roll(offsets, 1) + 1, np.roll(timestamps, 1)
        first = np.flatnonzero(np.diff(slots, prepend=-1))
        expected[first], since[first] = self._next[slots[first]], self._timestamp[slots[first]]
        at = np.flatnonzero(offsets > expected)
        columns = (slots[at], expected[at], offsets[at], since[at], timestamps[at])
        return list(map(Gap, *(column.tolist() for column in columns)))
