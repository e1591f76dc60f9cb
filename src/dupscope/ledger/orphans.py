"""Rows with a downstream copy whose upstream copy was not read yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dupscope.ledger.outcome import Outcome
from dupscope.ledger.rows import CASE, Freed, Rows, unexplained
from dupscope.model.batch import I64, Bools
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from dupscope.model.plain import Plain
from dupscope.model.topology import Topology


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    cycle: int
    since_ms: int
    mirror: int
    slots: I64


class Orphans:
    """Suspects of the norm, in groups by the cycle that read them. Most find their upstream copy soon."""

    def __init__(self, topology: Topology, rows: Rows) -> None:
        self._topology = topology
        self._rows = rows
        self._groups: list[_Group] = []

    def add(self, cycle: int, now_ms: int, mirror: int, slots: I64) -> None:
        """Note rows that a cycle left without an upstream copy."""
        self._groups.append(_Group(cycle, now_ms, mirror, slots))

    def judge(self, through: dict[int, int], outcome: Outcome) -> None:
        """Close what a passed barrier left unexplained, and forget what was explained."""
        kept = []
        for group in self._groups:
            slots = group.slots[self._open(group)]
            if not len(slots):
                continue
            if group.cycle <= through[group.mirror]:
                self._close(group.mirror, slots, Reason.NOT_IN_SOURCE, outcome)
            else:
                kept.append(_Group(group.cycle, group.since_ms, group.mirror, slots))
        self._groups = kept

    def give_up(self, mirror: int, cycle: int, reason: Reason, outcome: Outcome) -> None:
        """Close what waits for a barrier that cannot be passed."""
        given = [g for g in self._groups if g.mirror == mirror and g.cycle <= cycle]
        self._groups = [g for g in self._groups if g not in given]
        for group in given:
            self._close(mirror, group.slots[self._open(group)], reason, outcome)

    def forget(self, freed: Freed) -> dict[int, int]:
        """Drop rows that are freed. Returns how many open suspects go with them, by mirror."""
        before = self.count()
        self._groups = [replace(group, slots=freed.survivors(group.slots)) for group in self._groups]
        after = self.count()
        return {mirror: count - after.get(mirror, 0) for mirror, count in before.items()}

    def export(self) -> list[Plain]:
        """As plain values, rows by number."""
        return [[g.cycle, g.since_ms, g.mirror, self._rows.numbers(g.slots)] for g in self._groups]

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        capacity = self._rows.capacity
        self._groups = [_Group(cycle, ms, mirror, rows % capacity) for cycle, ms, mirror, rows in state]

    def count(self) -> dict[int, int]:
        """Open suspects by mirror."""
        counts: dict[int, int] = {}
        for group in self._groups:
            open_ = int(np.count_nonzero(self._open(group)))
            counts[group.mirror] = counts.get(group.mirror, 0) + open_
        return counts

    def oldest_ms(self, mirror: int) -> int | None:
        """When the oldest open suspect of a mirror was read."""
        times = [g.since_ms for g in self._groups if g.mirror == mirror and self._open(g).any()]
        return min(times, default=None)

    def _open(self, group: _Group) -> Bools:
        rows, slots = self._rows, group.slots
        held = (rows.position[group.mirror][slots] != 0) & (rows.above(group.mirror, slots) == 0)
        return np.asarray(held & (rows.state[slots] & (CASE | unexplained(group.mirror)) == 0))

    def _close(self, mirror: int, slots: I64, reason: Reason, outcome: Outcome) -> None:
        if len(slots):
            self._rows.touch(slots)
            self._rows.state[slots] |= unexplained(mirror)
            outcome.unverified[Layer.MIRROR, self._topology.logs[mirror].name, reason] += len(slots)
            self._close_effects(mirror, slots, reason, outcome)

    def _close_effects(self, mirror: int, slots: I64, reason: Reason, outcome: Outcome) -> None:
        """Whoever acted on such a copy, or on one that descends from it, acted on nothing known."""
        for sink, each in enumerate(self._topology.sinks):
            reads = [1 + log for log in each.reads if mirror in (log, *self._topology.above(log))]
            lost = int(np.count_nonzero(np.isin(self._rows.read[sink][slots], reads)))
            if lost:
                outcome.unverified[Layer.CONSUME, each.name, reason] += lost
