"""How far each mirror has overtaken its upstream partitions: what was passed over is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dupscope.ledger.case import Case, Copy
from dupscope.ledger.cycle import padded
from dupscope.ledger.rows import CASE, Freed, Rows
from dupscope.ledger.view import View
from dupscope.model.batch import I64, U64
from dupscope.model.plain import Plain
from dupscope.model.position import OFFSET_BITS, OFFSET_MASK, PartitionTable, slot_of
from dupscope.model.topology import Topology

CHUNK = 1 << 16


def split(packed: U64) -> tuple[I64, I64]:
    """Partition slots and offsets of packed positions."""
    slots = (packed >> np.uint64(OFFSET_BITS)).astype(np.int64)
    return slots, (packed & np.uint64(OFFSET_MASK)).astype(np.int64) - 1


@dataclass(frozen=True, slots=True)
class _Doubtful:
    """Rows paired across partition numbers in a cycle: an equal upstream copy may still be unread."""

    cycle: int
    mirror: int
    slots: I64


class Frontier:
    """Per mirror and upstream partition: the largest upstream offset whose faithful copy arrived.

    Only copies matched by tag are witnesses, and only those that lie in what was read of the destination.
    A pair within one partition number is one at once, unless the mirror copies several logs. Any other pair
    is one when the logs above were read to their ends since and the key is still in the norm: until then an
    equal copy in the other partition may turn up.
    Rows below `_complete` lack no copy in that mirror.
    """

    def __init__(self, topology: Topology, rows: Rows, partitions: PartitionTable) -> None:
        self._topology = topology
        self._rows = rows
        self._partitions = partitions
        self._reached = [np.zeros(0, np.int64) for _ in topology.logs]
        self._complete = [0 for _ in topology.logs]
        self._doubtful: list[_Doubtful] = []
        self._moved = False

    @property
    def moved(self) -> bool:
        """Whether it rose since the last snapshot, or waits for a barrier in order to rise."""
        return self._moved or bool(self._doubtful)

    def paired(self, mirror: int, slots: I64, cycle: int, covered_from: int | None) -> None:
        """Note rows in which a mirror's copy was just paired by tag."""
        if covered_from is not None:
            slots = slots[self._rows.timestamp(slots) >= covered_from]
        numbers = self._partitions.numbers()
        above, below = self._rows.above(mirror, slots), self._rows.position[mirror][slots]
        same = numbers[split(above)[0]] == numbers[split(below)[0]]
        same &= len(self._topology.logs[mirror].upstream) == 1
        self._advance(mirror, above[same])
        if not same.all():
            self._doubtful.append(_Doubtful(cycle, mirror, slots[~same]))

    def confirm(self, through: dict[int, int]) -> None:
        """Take pairs across partition numbers whose barrier has passed."""
        for doubt in [doubt for doubt in self._doubtful if doubt.cycle <= through[doubt.mirror]]:
            self._doubtful.remove(doubt)
            norm = doubt.slots[self._rows.state[doubt.slots] & CASE == 0]
            self._advance(doubt.mirror, self._rows.above(doubt.mirror, norm))

    def forget(self, freed: Freed) -> None:
        """Drop rows that are freed."""
        self._doubtful = [replace(doubt, slots=freed.survivors(doubt.slots)) for doubt in self._doubtful]

    def advance_case(self, case: Case, copy: Copy, view: View, covered_from: dict[int, int | None]) -> None:
        """Note what one more copy pairs by tag: of equal upstream copies in its partition the first.

        A number that stands for several partitions (of a topic and of its namesake) tells of none.
        """
        for mirror in self._topology.mirrors:
            upstream = self._topology.logs[mirror].upstream
            if copy.log not in (mirror, *upstream) or len(upstream) > 1:
                continue
            same = [c for c in case.copies if _alike(c, copy, mirror, view)]
            ups = [c for c in same if c.log in upstream]
            if len({slot_of(c.position) for c in ups}) > 1:
                continue
            first = min(ups, key=view.order, default=None)
            earliest = covered_from[mirror]
            covered = first is not None and (earliest is None or first.timestamp >= earliest)
            if first is not None and covered and any(c.log == mirror and not c.excess for c in same):
                self._advance(mirror, np.array([first.position], np.uint64))

    def _advance(self, mirror: int, upstream: U64) -> None:
        if not len(upstream):
            return
        slots, offsets = split(upstream)
        before = padded(self._reached[mirror], int(slots.max()) + 1)
        after = before.copy()
        np.maximum.at(after, slots, offsets)
        self._moved |= bool(np.any(after > before))
        self._reached[mirror] = after

    def snapshot(self) -> tuple[I64, ...]:
        """The present state, for a barrier."""
        self._moved = False
        return tuple(self._reached)

    def export(self) -> dict[str, Plain]:
        """As plain values, rows by number."""
        return {
            "reached": list(self._reached),
            "complete": list(self._complete),
            "doubtful": [[d.cycle, d.mirror, self._rows.numbers(d.slots)] for d in self._doubtful],
            "moved": self._moved,
        }

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        capacity = self._rows.capacity
        self._reached, self._complete = list(state["reached"]), list(state["complete"])
        self._doubtful = [
            _Doubtful(cycle, mirror, rows % capacity) for cycle, mirror, rows in state["doubtful"]
        ]
        self._moved = state["moved"]

    def passed_over(self, mirror: int, confirmed: I64) -> I64:
        """Slots of rows of the norm whose upstream copy was overtaken."""
        rows = self._rows
        found: list[I64] = []
        whole = True
        for start in range(max(rows.first, self._complete[mirror]), rows.next, CHUNK):
            slots = np.arange(start, min(start + CHUNK, rows.next), dtype=np.int64) % rows.capacity
            above = rows.above(mirror, slots)
            lacking = (above != 0) & (rows.position[mirror][slots] == 0) & (rows.state[slots] & CASE == 0)
            slots, above = slots[lacking], above[lacking]
            partition, offset = split(above)
            reach = padded(confirmed, int(partition.max(initial=-1)) + 1)
            found.append(slots[offset < reach[partition]])
            whole = whole and not len(slots) and start + CHUNK <= rows.next
            if whole:
                self._complete[mirror] = start + CHUNK
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def reopen(self, slots: I64) -> None:
        """Look again at rows that were complete: an upstream copy was entered late."""
        if len(slots):
            row = int(self._rows.numbers(slots).min())
            self._complete = [min(complete, row) for complete in self._complete]


def _alike(one: Copy, other: Copy, mirror: int, view: View) -> bool:
    """Whether two copies have one tag and lie in the same partition number."""
    return view.tag(one, mirror) == view.tag(other, mirror) and view.number(one) == view.number(other)
