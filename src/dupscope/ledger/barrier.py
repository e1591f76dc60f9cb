"""Barriers: how far the logs above must be read before a suspect may be judged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dupscope.ledger.cycle import padded
from dupscope.model.batch import I64
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable
from dupscope.model.topology import Topology


@dataclass(frozen=True, slots=True, eq=False)
class Barrier:
    """End offsets of all logs, taken after the reads of a cycle, most downstream first.

    `ends` is by partition slot. `frontier[log]` are the upstream offsets overtaken when it was taken.
    """

    cycle: int
    taken_ms: int
    ends: I64
    frontier: tuple[I64, ...] = ()


@dataclass
class Barriers:
    """The barriers of one pipeline that have not passed everywhere, and how far each stage is.

    judged_until[log]  copies below these offsets may be judged
    through[stage]     the last cycle whose barrier passed for a log (>= 0) or a sink (below 0)
    frontier[log]      overtaken upstream offsets, confirmed: the destination was read to its end since
    confirmed_moved    mirrors whose frontier rose and was not looked at since
    """

    topology: Topology
    partitions: PartitionTable
    pending: deque[Barrier] = field(default_factory=deque)
    through: dict[int, int] = field(default_factory=dict)
    judged_until: list[I64] = field(default_factory=list)
    frontier: list[I64] = field(default_factory=list)
    confirmed_moved: set[int] = field(default_factory=set)
    _confirmed: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stages = [*self.topology.mirrors, *(-1 - sink for sink in range(len(self.topology.sinks)))]
        self.through = dict.fromkeys(stages, -1)
        self._confirmed = dict.fromkeys(self.topology.mirrors, -1)
        self.judged_until = [np.zeros(0, np.int64) for _ in self.topology.logs]
        self.frontier = [np.zeros(0, np.int64) for _ in self.topology.logs]

    def add(self, barrier: Barrier) -> None:
        """Take a barrier into account from now on."""
        self.pending.append(barrier)

    def advance(self, positions: I64) -> set[int]:
        """Pass what the tails' positions allow. Returns the cycles that passed for some stage."""
        passed: set[int] = set()
        for stage in self.through:
            for barrier in self.pending:
                if self.through[stage] >= barrier.cycle:
                    continue
                if not self.is_passed(barrier, stage, positions):
                    break
                self.through[stage] = barrier.cycle
                passed.add(barrier.cycle)
                if stage >= 0:
                    self.judged_until[stage] = _highest(self.judged_until[stage], barrier.ends)
        self._confirm(positions)
        self._drop_passed()
        return passed

    def is_passed(self, barrier: Barrier, stage: int, positions: I64) -> bool:
        """Whether every log above a stage (for a sink: and those it reads) was read up to a barrier."""
        return all(self._read_to(barrier, log, positions) for log in self._logs(stage))

    def short_of(self, barrier: Barrier, stage: int, positions: I64) -> list[int]:
        """The partition slots that keep a barrier from passing for a stage."""
        slots = [slot for log in self._logs(stage) for slot in self.partitions.slots_of(log)]
        return [slot for slot in slots if slot < len(barrier.ends) and positions[slot] < barrier.ends[slot]]

    def drop(self, barrier: Barrier) -> None:
        """Forget a barrier that was given up."""
        self.pending.remove(barrier)

    def export(self) -> dict[str, Plain]:
        """As plain values."""
        return {
            "pending": [[b.cycle, b.taken_ms, b.ends, list(b.frontier)] for b in self.pending],
            "through": dict(self.through),
            "judged_until": list(self.judged_until),
            "frontier": list(self.frontier),
            "confirmed_moved": sorted(self.confirmed_moved),
            "confirmed": dict(self._confirmed),
        }

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        pending = (Barrier(cycle, ms, ends, tuple(reached)) for cycle, ms, ends, reached in state["pending"])
        self.pending = deque(pending)
        self.through, self._confirmed = dict(state["through"]), dict(state["confirmed"])
        self.judged_until, self.frontier = list(state["judged_until"]), list(state["frontier"])
        self.confirmed_moved = set(state["confirmed_moved"])

    def _logs(self, stage: int) -> tuple[int, ...]:
        return self.topology.above(stage) if stage >= 0 else self.topology.seen_by(-1 - stage)

    def _read_to(self, barrier: Barrier, log: int, positions: I64) -> bool:
        slots = [slot for slot in self.partitions.slots_of(log) if slot < len(barrier.ends)]
        return bool(np.all(positions[slots] >= barrier.ends[slots]))

    def _confirm(self, positions: I64) -> None:
        for mirror in self.topology.mirrors:
            for barrier in self.pending:
                if self._confirmed[mirror] >= barrier.cycle:
                    continue
                if not self._read_to(barrier, mirror, positions):
                    break
                self._confirmed[mirror] = barrier.cycle
                self.frontier[mirror] = _highest(self.frontier[mirror], barrier.frontier[mirror])
                self.confirmed_moved.add(mirror)

    def _drop_passed(self) -> None:
        behind = (*self.through.values(), *self._confirmed.values())
        while self.pending and all(cycle >= self.pending[0].cycle for cycle in behind):
            self.pending.popleft()


def _highest(one: I64, other: I64) -> I64:
    """Elementwise maximum; a missing element counts as 0."""
    size = max(len(one), len(other))
    return np.maximum(padded(one, size), padded(other, size))
