"""Sinks of which an effect of every business fact is expected: rows of the norm that they passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dupscope.ledger.case import Effect
from dupscope.ledger.cycle import padded
from dupscope.ledger.frontier import split
from dupscope.ledger.rows import CASE, LACKING, REDRIVEN, Rows
from dupscope.ledger.view import View
from dupscope.model.batch import I64, U64, Bools
from dupscope.model.plain import Plain
from dupscope.model.position import offset_of, slot_of
from dupscope.model.topology import Topology

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Passed:
    """What a sink has gone past while it was watched, with all that it did about it known.

    low, high  by partition slot: copies at or above the one and below the other were gone past
    lost       by partition slot: of copies below, an effect may have been given up
    later      by slot of the source copy, in ms: only later cases are covered and not about to be forgotten
    replays    spans in ms in which the source's records were sent again on purpose
    """

    low: I64
    high: I64
    lost: I64
    later: I64
    replays: tuple[tuple[int, int], ...]


def passed(sink: int, view: View) -> Passed:
    """What a sink went past, for rows: the same rule as `judge.lacks_effect` has for cases."""
    partitions, window = view.partitions.partitions, view.settings.window_ms
    earliest = max(view.edge - 1, view.expected_after(sink))
    kept = [(one.log, one.logical_topic) not in view.truncated for one in partitions]
    later = np.full(len(partitions), earliest, np.int64)
    for slot, one in enumerate(partitions):
        start = view.covered_by(sink, one.logical_topic) if view.topology.is_source(one.log) else None
        later[slot] = earliest if start is None else max(start + window, earliest)
    stage = view.topology.logs[0].name
    return Passed(
        view.settled_from[sink],
        np.where(kept, view.settled[sink], 0),
        view.lost[sink],
        later,
        tuple((replay.from_ms, replay.to_ms) for replay in view.replays if replay.stage == stage),
    )


class Expected:
    """Finds rows without an effect. Chunks of rows in which none can lack one are not looked at again."""

    def __init__(self, topology: Topology, rows: Rows) -> None:
        self._topology = topology
        self._rows = rows
        self.sinks = [index for index, sink in enumerate(topology.sinks) if sink.expects]
        self._closed: dict[int, set[int]] = {sink: set() for sink in self.sinks}
        self._lost = {sink: np.zeros(0, np.int64) for sink in self.sinks}
        self._lost_ms = dict.fromkeys(self.sinks, -1)

    def lose(self, effect: Effect) -> None:
        """An effect was given up without its record: no case with a copy up to there is said to lack one."""
        if effect.sink not in self._lost:
            return
        if not effect.position:
            self._lost_ms[effect.sink] = max(self._lost_ms[effect.sink], effect.at)
            return
        slot = slot_of(effect.position)
        column = padded(self._lost[effect.sink], slot + 1).copy()
        column[slot] = max(column[slot], offset_of(effect.position) + 1)
        self._lost[effect.sink] = column

    def lost(self, slots: int) -> dict[int, I64]:
        """Per sink: one more than the largest offset of such an effect, by partition slot."""
        return {sink: padded(column, slots) for sink, column in self._lost.items()}

    def since_ms(self, sink: int) -> int:
        """After which time of the source copy effects of a sink are expected; -1: at all times."""
        return self._lost_ms.get(sink, -1)

    def export(self) -> Plain:
        """What is stored."""
        return [[self._lost[sink], self._lost_ms[sink]] for sink in self.sinks]

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        for sink, (column, moment) in zip(self.sinks, state, strict=True):
            self._lost[sink], self._lost_ms[sink] = column, moment

    def reopen(self, slots: I64) -> None:
        """Look again at rows that came back into the norm."""
        chunks = set((self._rows.numbers(slots) // CHUNK).tolist())
        for sink in self.sinks:
            self._closed[sink] -= chunks

    def miss(self, sink: int, passed: Passed, awaited: I64) -> int:
        """Mark the rows that a sink passed over without an effect; their number. `awaited` are left alone."""
        rows, closed = self._rows, self._closed[sink]
        first = rows.first // CHUNK
        closed -= {chunk for chunk in closed if chunk < first}
        missed = 0
        for chunk in range(first, -(-rows.next // CHUNK)):
            if chunk not in closed:
                start, stop = max(rows.first, chunk * CHUNK), min(rows.next, (chunk + 1) * CHUNK)
                slots = np.arange(start, stop, dtype=np.int64) % rows.capacity
                found, all_done = self._look(sink, slots, passed, awaited)
                missed += len(found)
                self._mark(sink, found)
                if all_done and stop == (chunk + 1) * CHUNK:
                    closed.add(chunk)
        return missed

    def _mark(self, sink: int, slots: I64) -> None:
        if len(slots):
            self._rows.read[sink][slots] = LACKING
            self._rows.touch(slots)

    def _look(self, sink: int, slots: I64, passed: Passed, awaited: I64) -> tuple[I64, bool]:
        """The rows that lack an effect, and whether no other one can come to lack one."""
        rows = self._rows
        slots = slots[(rows.read[sink][slots] == 0) & (rows.state[slots] & CASE == 0)]
        if not len(slots):
            return slots, True
        gone_past, before = np.zeros(len(slots), np.bool_), np.ones(len(slots), np.bool_)
        doubtful = np.zeros(len(slots), np.bool_)
        for log in self._topology.sinks[sink].reads:
            partition, offset = split(rows.position[log][slots])
            traced = self._traced(log, slots)
            gone_past |= traced & (offset >= passed.low[partition]) & (offset < passed.high[partition])
            before &= traced & (offset < passed.low[partition])
            doubtful |= traced & (offset < passed.lost[partition])
        counts = gone_past & ~doubtful & self._is_covered(slots, passed) & ~np.isin(slots, awaited)
        counts &= rows.state[slots] & REDRIVEN == 0
        return slots[counts], bool(np.all(counts | before))

    def _traced(self, log: int, slots: I64) -> Bools:
        """Whether rows have a copy in a log and all those that it descends from."""
        traced = self._rows.position[log][slots] != 0
        while upstream := self._topology.logs[log].upstream:
            traced &= self._rows.above(log, slots) != 0
            log = upstream[0]
        return np.asarray(traced)

    def _is_covered(self, slots: I64, passed: Passed) -> Bools:
        stamps = self._rows.timestamp(slots)
        covered = stamps > passed.later[_slots_of(self._rows.sourced(slots))]
        for begin, end in passed.replays:
            covered &= (stamps < begin) | (stamps >= end)
        return np.asarray(covered)


def _slots_of(packed: U64) -> I64:
    return split(packed)[0]


def differ(one: Sequence[I64], other: Sequence[I64]) -> bool:
    """Whether two states of some columns differ."""
    return len(one) != len(other) or not all(map(np.array_equal, one, other))
