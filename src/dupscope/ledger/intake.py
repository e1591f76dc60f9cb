"""Taking in what a cycle read: most of it goes into rows, the rest into cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.conclude import Concluder
from dupscope.ledger.cycle import Cycle, padded
from dupscope.ledger.effects import (
    ENTERED,
    EffectScreen,
    Waiting,
    joined,
    nothing_waiting,
    taken,
    waiting_of,
    waiting_tree,
)
from dupscope.ledger.frontier import split
from dupscope.ledger.holdings import Holdings
from dupscope.ledger.rows import CASE
from dupscope.ledger.screen import Screen
from dupscope.model.batch import I64, EffectBatch, RecordBatch
from dupscope.model.finding import Reason
from dupscope.model.plain import Plain

MOST_AT_ONCE = 1 << 16
"""Records screened at once. Sorted probes of the index cost less the more there are."""


class Intake:
    """Takes batches in, upstream before downstream.

    `touched` are the cases that changed in this cycle; `suspicious` tells that something of this cycle
    waits for a barrier; `waiting` are effects, by sink, whose record was not read yet; `acted_to` is by
    sink and partition slot one more than the largest offset that it acted on.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._held = holdings
        self._screen = Screen(holdings.topology, holdings.rows)
        self._effects = EffectScreen(holdings.topology, holdings.rows)
        sinks = range(len(holdings.topology.sinks))
        self.waiting = [nothing_waiting(sink) for sink in sinks]
        self.acted_to = [np.zeros(0, np.int64) for _ in sinks]
        self.touched: set[Case] = set()
        self.suspicious = False

    def observe(self, cycle: Cycle, concluder: Concluder) -> None:
        """Take in one cycle."""
        self.touched = set()
        self._held.frontier.confirm(self._held.barriers.through)
        for log in range(len(self._held.topology.logs)):
            for batch in cycle.records:
                if batch.log == log and len(batch):
                    for piece in self._pieces(batch):
                        self._records(piece, cycle, concluder)
        for sink in range(len(self._held.topology.sinks)):
            new = [batch for batch in cycle.effects if batch.sink == sink and len(batch)]
            self._observe_effects(sink, new, cycle, concluder)

    def export(self) -> dict[str, Plain]:
        """As plain values."""
        return {
            "waiting": [waiting_tree(waiting) for waiting in self.waiting],
            "acted_to": list(self.acted_to),
            "suspicious": self.suspicious,
        }

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        self.waiting = [waiting_of(sink, tree) for sink, tree in enumerate(state["waiting"])]
        self.acted_to = list(state["acted_to"])
        self.suspicious = state["suspicious"]

    def _pieces(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """The batch in parts that surely fit into the ring."""
        step = max(1, min(MOST_AT_ONCE, self._held.rows.limit // 4))
        for at in range(0, len(batch), step):
            part = slice(at, at + step)
            yield RecordBatch(
                batch.log,
                batch.position[part],
                batch.timestamp[part],
                batch.fp_hi[part],
                batch.fp_lo[part],
                batch.content[part],
                None if batch.redriven is None else batch.redriven[part],
            )

    def _records(self, batch: RecordBatch, cycle: Cycle, concluder: Concluder) -> None:
        held = self._held
        held.retention.make_room(len(batch), cycle.now_ms)
        held.edge.observe(batch, len(held.partitions), cycle.now_ms)
        screened = self._screen.observe(batch, held.edge)
        if screened.expired:
            layer, stage = held.topology.layer(batch.log), held.topology.logs[batch.log].name
            concluder.outcome.unverified[layer, stage, Reason.EXPIRED] += screened.expired
        if len(screened.orphans):
            held.orphans.add(cycle.number, cycle.now_ms, batch.log, screened.orphans)
            self.suspicious = True
        held.reopen(batch.log, screened.filled)
        for mirror, slots in screened.paired.items():
            held.frontier.paired(mirror, slots, cycle.number, held.covered_from(mirror, cycle))
        for index in screened.look.tolist():
            self._look(batch, index, cycle, concluder)

    def _look(self, batch: RecordBatch, index: int, cycle: Cycle, concluder: Concluder) -> None:
        """Take in one record whose key left the norm."""
        held = self._held
        fp = int(batch.fp_hi[index]), int(batch.fp_lo[index])
        origin = held.topology.is_source(batch.log)
        copy = Copy(
            batch.log,
            int(batch.position[index]),
            int(batch.timestamp[index]),
            int(batch.content[index]),
            redriven=origin and batch.redriven is not None and bool(batch.redriven[index]),
        )
        slot = held.find(fp)
        lost = held.why_lost(slot, copy.timestamp)
        if lost is not None:
            concluder.lose_copy(copy, lost)
            return
        begins = slot < 0 or (origin and not self._joins(slot, fp, cycle, copy))
        if begins and copy.timestamp < held.edge.floor:
            concluder.lose_copy(copy, Reason.EXPIRED)
            if held.topology.is_copied(copy.log):
                self._forsake(slot if slot >= 0 else self._screen.insert_one(batch, index), concluder)
        elif slot < 0:
            self._start(batch, index, cycle)
        else:
            self._add(held.book.open(slot, fp, cycle.number), copy, cycle, concluder)

    def _forsake(self, slot: int, concluder: Concluder) -> None:
        """Say nothing of a key any more: a copy that came too late could explain what is downstream."""
        case = self._held.book.cases.get(slot)
        if case is not None:
            for copy in case.copies:
                mirrored = not self._held.topology.is_source(copy.log)
                if mirrored and not copy.excess and not concluder.view.admitted(copy):
                    concluder.lose_copy(copy, Reason.EXPIRED)
            self._held.close(slot)
        self._held.rows.state[slot] = CASE
        self._held.rows.touch(np.array([slot]))

    def _start(self, batch: RecordBatch, index: int, cycle: Cycle) -> None:
        """Start a row for a key whose earlier copies are forgotten."""
        self._held.retention.make_room(1, cycle.now_ms)
        slot = self._screen.insert_one(batch, index)
        if not self._held.topology.is_source(batch.log):
            self._held.orphans.add(cycle.number, cycle.now_ms, batch.log, np.array([slot]))
            self.suspicious = True

    def _joins(self, slot: int, fp: tuple[int, int], cycle: Cycle, copy: Copy) -> bool:
        """Whether a source copy lies within a window of another one of its key."""
        window = self._held.settings.window_ms
        case = self._held.book.open(slot, fp, cycle.number)
        self._touch(case)
        sources = (c for c in case.copies if self._held.topology.is_source(c.log))
        return any(abs(c.timestamp - copy.timestamp) <= window for c in sources)

    def _add(self, case: Case, copy: Copy, cycle: Cycle, concluder: Concluder) -> None:
        """Put a copy into a case; a position that is read again is there already."""
        held = self._held
        if len(case.copies) >= held.settings.case_limit and not held.prune(case, concluder.view):
            case.hot = True
            held.book.touch(case)
            concluder.lose_copy(copy, Reason.HOT_KEY)
            return
        if any(known.position == copy.position and known.content == copy.content for known in case.copies):
            self._touch(case)
            return
        held.book.add(case, copy)
        covered = {mirror: held.covered_from(mirror, cycle) for mirror in held.topology.mirrors}
        held.frontier.advance_case(case, copy, concluder.view, covered)
        self._touch(case)

    def _touch(self, case: Case) -> None:
        self.touched.add(case)
        self.suspicious = True

    def _observe_effects(self, sink: int, new: list[EffectBatch], cycle: Cycle, concluder: Concluder) -> None:
        waiting = self.waiting[sink]
        for batch in new:
            waiting = joined(waiting, batch, cycle.number)
            self._note_acted(sink, batch)
        if not len(waiting):
            return
        look, slots = self._effects.observe(waiting)
        for index in np.flatnonzero(look).tolist():
            self.look_effect(waiting, index, int(slots[index]), concluder)
        self.waiting[sink] = taken(waiting, ~look & (slots != ENTERED))
        self.suspicious |= bool(np.any(self.waiting[sink].cycle == cycle.number))

    def look_effect(self, waiting: Waiting, index: int, slot: int, concluder: Concluder) -> None:
        """Take in one effect whose key left the norm, or leaves it by this effect."""
        batch = waiting.batch
        fp = int(batch.fp_hi[index]), int(batch.fp_lo[index])
        effect = effect_of(waiting, index)
        if self._held.is_forgotten(slot):
            concluder.lose_effect(effect, Reason.EXPIRED)
            return
        case = self._held.book.open(slot, fp, effect.cycle)
        if sum(one.sink == effect.sink for one in case.effects) >= self._held.settings.case_limit:
            case.hot = True
            self._held.book.touch(case)
            concluder.lose_effect(effect, Reason.HOT_KEY)
        else:
            self._held.book.add(case, effect)
            self._touch(case)

    def awaits(self, sink: int, fp_hi: int, fp_lo: int) -> bool:
        """Whether an effect of a sink and key waits for its record."""
        batch = self.waiting[sink].batch
        return bool(np.any((batch.fp_lo == np.uint64(fp_lo)) & (batch.fp_hi == np.uint64(fp_hi))))

    def awaited(self, sink: int) -> I64:
        """Slots of the rows for whose keys an effect of a sink waits for its record."""
        batch = self.waiting[sink].batch
        order = np.argsort(batch.fp_lo, kind="stable")
        slots = self._held.rows.find(batch.fp_hi[order], batch.fp_lo[order])
        return np.asarray(slots[slots >= 0])

    def _note_acted(self, sink: int, new: EffectBatch) -> None:
        """Remember how far into each partition a sink has acted, for sinks that keep the order."""
        if self._held.topology.sinks[sink].ordered:
            slots, offsets = split(new.position[new.position != 0])
            reached = padded(self.acted_to[sink], len(self._held.partitions)).copy()
            np.maximum.at(reached, slots, offsets + 1)
            self.acted_to[sink] = reached


def effect_of(waiting: Waiting, index: int) -> Effect:
    """One effect of a batch as an object."""
    batch = waiting.batch
    return Effect(
        batch.sink,
        int(batch.position[index]),
        int(batch.at[index]),
        int(batch.effect_id[index]),
        int(waiting.cycle[index]),
    )
