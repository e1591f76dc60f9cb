"""What a tail has passed, by partition slot."""

from __future__ import annotations

import numpy as np

from dupscope.model.batch import I64

_NEVER = -1


class Progress:
    """Next offsets and ends of the assigned partitions.

    Transaction markers and aborted records take offsets and are never seen: beside the last record, the end
    of partition and the client's own position tell what was passed. A partition is at its end when its end
    was met since its last record. With committed reads that end is the last stable offset: behind an open
    transaction the position stays below the high watermark.
    """

    def __init__(self) -> None:
        self._slots: dict[int, None] = {}
        self._next_record = np.empty(0, np.int64)
        self._passed = np.empty(0, np.int64)
        self._end = np.empty(0, np.int64)

    def begin(self, slot: int, offset: int) -> None:
        """Start, or start anew, at `offset`."""
        if slot >= len(self._passed):
            grow = slot + 1 - len(self._passed)
            self._next_record, self._passed, self._end = (
                np.append(column, np.full(grow, _NEVER, np.int64))
                for column in (self._next_record, self._passed, self._end)
            )
        self._slots[slot] = None
        self._next_record[slot] = self._passed[slot] = offset
        self._end[slot] = _NEVER

    def forget(self, slot: int) -> None:
        """Follow a slot no more."""
        self._slots.pop(slot, None)

    def records(self, slots: I64, offsets: I64) -> None:
        """Records were read, in the order of each partition's log."""
        self._next_record[slots] = offsets + 1  # of a slot's several offsets the last one stays
        np.maximum(self._passed, self._next_record, out=self._passed)

    def end(self, slot: int, offset: int) -> None:
        """The end of a partition was met at `offset`. To be told after the records that came with it."""
        self._end[slot] = offset
        self.client_position(slot, offset)

    def client_position(self, slot: int, offset: int) -> None:
        """The client says that it would deliver `offset` next; negative when it cannot tell."""
        self._passed[slot] = max(self._passed[slot], offset)

    @property
    def positions(self) -> dict[int, int]:
        """The offset, by slot, below which everything was passed."""
        return {slot: int(self._passed[slot]) for slot in self._slots}

    def position(self, slot: int) -> int:
        """The offset below which everything of one slot was passed."""
        return int(self._passed[slot])

    @property
    def at_end(self) -> set[int]:
        """Slots whose end was met since their last record."""
        return {slot for slot in self._slots if self._end[slot] >= self._next_record[slot]}

    @property
    def all_at_end(self) -> bool:
        """Whether no partition is known to hold an unread record."""
        slots = list(self._slots)
        return bool(np.all(self._end[slots] >= self._next_record[slots]))
