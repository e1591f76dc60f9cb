"""The ledger of one pipeline: columns in, findings and counts out. Pure: time comes in with the cycle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from dupscope.ledger.balance import unbalanced
from dupscope.ledger.barrier import Barrier
from dupscope.ledger.case import Case
from dupscope.ledger.conclude import Concluder
from dupscope.ledger.cycle import Cycle, padded
from dupscope.ledger.effects import taken
from dupscope.ledger.expected import differ, passed
from dupscope.ledger.frontier import split
from dupscope.ledger.holdings import Holdings
from dupscope.ledger.intake import Intake, effect_of
from dupscope.ledger.judge import Verdict, judge, sink_stage
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.ledger.state import LedgerState
from dupscope.ledger.view import View
from dupscope.model.batch import I64, Bools
from dupscope.model.finding import Reason
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable, offset_of, pack, slot_of
from dupscope.model.topology import Topology

FOREVER = 1 << 62

BARRIERS_AT_WILL = 32
BARRIERS_A_WINDOW = 128
"""With more than the former pending, at most this many more are taken within a window."""

OVERTAKEN_AT_ONCE = 5_000
"""Rows that one cycle takes up as missing; more wait for the next cycle."""


class Ledger:
    """Holds every key of a pipeline within the window and judges those that left the norm.

    A cycle is `observe`, then `conclude`; in between the caller takes end offsets if `wants_barrier`.
    """

    def __init__(self, topology: Topology, settings: LedgerSettings, partitions: PartitionTable) -> None:
        self.held = Holdings(topology, settings, partitions)
        self.intake = Intake(self.held)
        self.unbalanced: set[Case] = set()
        self._due: dict[int, set[Case]] = defaultdict(set)
        self._since_ms: dict[int, int] = {}
        self._lacking: set[Case] = set()
        self._unpassed: set[Case] = set()
        self._unacted: set[Case] = set()
        self._gone_past: tuple[I64, ...] = ()
        self._settled: tuple[I64, ...] = ()
        self._unlooked = False
        self._now_ms = 0

    def observe(self, cycle: Cycle) -> Outcome:
        """Take in what a cycle read. The outcome holds what is lost at once, without a judgement."""
        outcome = Outcome()
        self._now_ms = cycle.now_ms
        self.held.gaps.add(cycle.gaps, self.held.partitions)
        view = self._view(cycle, self._past(cycle))
        self.intake.observe(cycle, Concluder(view, outcome, cycle.now_ms))
        self._due[cycle.number] = set(self.intake.touched)
        self._since_ms[cycle.number] = cycle.now_ms
        return outcome

    @property
    def wants_barrier(self) -> bool:
        """Whether end offsets are needed after this cycle's reads.

        While many barriers cannot pass, new suspects share one: barriers are memory.
        """
        pending = self.held.barriers.pending
        if len(pending) >= BARRIERS_AT_WILL:
            spacing_ms = self.held.settings.window_ms / BARRIERS_A_WINDOW
            return self.intake.suspicious and self._now_ms - pending[-1].taken_ms >= spacing_ms
        return self.intake.suspicious or (self.held.frontier.moved and not pending)

    def conclude(self, cycle: Cycle, ends: I64 | None, outcome: Outcome) -> None:
        """Judge what may be judged, and forget what is too old. `ends` are high watermarks by slot."""
        held = self.held
        if ends is not None:
            ends = padded(ends, len(held.partitions))
            held.barriers.add(Barrier(cycle.number, cycle.now_ms, ends, held.frontier.snapshot()))
            self.intake.suspicious = False
        passed = held.barriers.advance(padded(cycle.progress.positions, len(held.partitions)))
        past = self._past(cycle)
        concluder = Concluder(self._view(cycle, past), outcome, cycle.now_ms)
        self._give_up(cycle, concluder)
        held.orphans.judge(held.barriers.through, outcome)
        self._close_waiting(concluder)
        self._due[cycle.number] |= self.intake.touched
        for case in self._to_judge(cycle, concluder.view, passed=bool(passed)):
            self._judge(case, concluder)
        self._look_for_effects(cycle, concluder)
        self._forget(cycle)
        self._drop_due()
        outcome.findings.sort(key=lambda finding: (finding.timestamp, finding.id))
        outcome.closed += held.closed
        held.closed = []
        outcome.unverified += held.expired
        held.expired.clear()

    @property
    def quiet(self) -> bool:
        """Whether nothing waits: no suspect, no barrier, nothing overtaken or new that may lack an effect."""
        held = self.held
        return not (
            self.wants_barrier
            or self._unlooked
            or held.barriers.pending
            or held.barriers.confirmed_moved
            or any(self.suspects().values())
        )

    def suspects(self) -> dict[int, int]:
        """Open suspects by stage: logs from 0 up, sinks from -1 down."""
        counts = {stage: self.held.book.suspects[stage] for stage in self.held.barriers.through}
        for mirror, count in self.held.orphans.count().items():
            counts[mirror] += count
        for sink, waiting in enumerate(self.intake.waiting):
            counts[sink_stage(sink)] += len(waiting)
        return counts

    def oldest_suspect_ms(self, stage: int) -> int | None:
        """When the oldest open suspect of a stage was read."""
        cycles = [n for n, cases in self._due.items() if any(stage in case.suspects for case in cases)]
        if stage < 0 and len(self.intake.waiting[-1 - stage]):
            cycles.append(int(self.intake.waiting[-1 - stage].cycle.min()))
        times = [self._since_ms[n] for n in cycles if n in self._since_ms]
        orphan = self.held.orphans.oldest_ms(stage) if stage >= 0 else None
        return min([*times, *([] if orphan is None else [orphan])], default=None)

    def lines(self) -> Iterable[dict[str, object]]:
        """Every noteworthy case that is held, for the ledger file."""
        if self.held.last_view is not None:
            for case in self.held.book.cases.values():
                yield from self.held.lines(case, self.held.last_view)

    # ------------------------------------------------------------------ what is stored

    def export(self, *, whole: bool = False) -> LedgerState:
        """The state between two cycles: of rows and cases what changed since the last export, or all."""
        state = self.held.export(whole=whole)
        state.small["intake"] = self.intake.export()
        state.small["ledger"] = {
            "unbalanced": self._numbers(self.unbalanced),
            "lacking": self._numbers(self._lacking),
            "unpassed": self._numbers(self._unpassed),
            "unacted": self._numbers(self._unacted),
            "due": self._numbers_due(),
            "since_ms": dict(self._since_ms),
            "gone_past": list(self._gone_past),
            "settled": list(self._settled),
            "unlooked": self._unlooked,
            "now_ms": self._now_ms,
        }
        return state

    def restore(self, state: LedgerState) -> None:
        """Go on from an export, with all blocks, of a ledger of the same pipeline; before the first cycle."""
        self.held.restore(state)
        small: Any = state.small
        self.intake.restore(small["intake"])
        own = small["ledger"]
        self.unbalanced = self._cases(own["unbalanced"])
        self._lacking, self._unpassed = self._cases(own["lacking"]), self._cases(own["unpassed"])
        self._due = defaultdict(set, {number: self._cases(rows) for number, rows in own["due"].items()})
        self._since_ms = dict(own["since_ms"])
        self._gone_past, self._now_ms = tuple(own["gone_past"]), own["now_ms"]
        if "settled" in own:
            self._unacted = self._cases(own["unacted"])
            self._settled, self._unlooked = tuple(own["settled"]), own["unlooked"]

    def _numbers_due(self) -> Plain:
        due = {number: self._numbers(cases) for number, cases in self._due.items()}
        return {number: rows for number, rows in due.items() if len(rows)}

    def _numbers(self, cases: Iterable[Case]) -> I64:
        """The rows of those cases that are held."""
        slots = np.array(sorted(case.slot for case in cases if case.slot >= 0), np.int64)
        return np.sort(self.held.rows.numbers(slots))

    def _cases(self, numbers: I64) -> set[Case]:
        return {self.held.book.cases[slot] for slot in (numbers % self.held.rows.capacity).tolist()}

    # ------------------------------------------------------------------ judging

    def _past(self, cycle: Cycle) -> tuple[I64, ...]:
        """Per sink: the offsets that it will not act on for the first time any more."""
        size = len(self.held.partitions)
        committed = cycle.progress.committed
        return tuple(
            np.maximum(padded(committed[sink], size), padded(self.intake.acted_to[sink], size))
            for sink in range(len(self.held.topology.sinks))
        )

    def _to_judge(self, cycle: Cycle, view: View, *, passed: bool) -> set[Case]:
        """The cases for which something changed that a judgement rests on."""
        cases = set(self._due[cycle.number])
        if passed:
            through = max(self.held.barriers.through.values(), default=0)
            cases.update(case for n, due in self._due.items() if n <= through for case in due)
        if self.held.barriers.confirmed_moved:
            cases |= self._lacking | self._taken_up(self._overtaken(cycle), cycle)
        if differ(view.gone_past, self._gone_past):
            cases |= self._unpassed
        if differ(view.settled, self._settled):
            cases |= self._unacted
        self._gone_past = view.gone_past
        return {case for case in cases if case.slot >= 0}

    def _taken_up(self, cases: set[Case], cycle: Cycle) -> set[Case]:
        """The cases, made to wait for a barrier where they brought effects along."""
        waiting = {case for case in cases if case.effects}
        self._due[cycle.number] |= waiting
        self.intake.suspicious |= bool(waiting)
        return cases

    def _overtaken(self, cycle: Cycle) -> set[Case]:
        """Rows of the norm that a mirror has passed over, as cases."""
        held, found = self.held, set()
        for mirror in sorted(held.barriers.confirmed_moved):
            slots = held.frontier.passed_over(mirror, held.barriers.frontier[mirror])
            covered = held.covered_from(mirror, cycle)
            if covered is not None:
                slots = slots[held.rows.timestamp(slots) >= covered]
            slots = self._lasting(mirror, slots, cycle)[:OVERTAKEN_AT_ONCE]
            low = held.rows.fingerprints_low(slots).tolist() if len(slots) else []
            for slot, fp_lo in zip(slots.tolist(), low, strict=True):
                found.add(held.book.open(slot, (int(held.rows.fp_hi[slot]), fp_lo), cycle.number))
            if len(slots) < OVERTAKEN_AT_ONCE:
                held.barriers.confirmed_moved.discard(mirror)
        return found

    def _lasting(self, mirror: int, slots: I64, cycle: Cycle) -> I64:
        """Those rows whose copies a mirror keeps."""
        if not cycle.progress.truncated:
            return slots
        truncated = cycle.progress.truncated
        keeps = [(mirror, one.logical_topic) not in truncated for one in self.held.partitions.partitions]
        return slots[np.array(keeps, np.bool_)[split(self.held.rows.above(mirror, slots))[0]]]

    def _look_for_effects(self, cycle: Cycle, concluder: Concluder) -> None:
        """Count the rows of the norm for which an expected effect did not come."""
        held, view = self.held, concluder.view
        if not held.expected.sinks:
            return
        new = any(map(len, cycle.records)) or any(map(len, cycle.effects))
        self._unlooked |= new
        if not differ(view.settled, self._settled) and (new or not self._unlooked):
            return
        self._settled, self._unlooked = view.settled, False
        for sink in held.expected.sinks:
            if view.expects(sink):
                missed = held.expected.miss(sink, passed(sink, view), self.intake.awaited(sink))
                concluder.outcome.missing[held.topology.sinks[sink].name] += missed

    def _view(self, cycle: Cycle, past: tuple[I64, ...]) -> View:
        return replace(self.held.view(cycle, past), awaits=self.intake.awaits)

    def _judge(self, case: Case, concluder: Concluder) -> None:
        before = case.suspects
        if self.held.partitions.recreated:
            self._find_namesakes(case, concluder.view)
        verdict = judge(case, concluder.view)
        concluder.conclude(case, verdict)
        self.held.book.judged(case, before)
        _keep(self.unbalanced, case, wanted=unbalanced(case, verdict, concluder.view))
        lacking = any(m.deficit for part in verdict.windows for m in part.mirrors.values())
        _keep(self._lacking, case, wanted=lacking)
        _keep(self._unpassed, case, wanted=_has_extra_lineage(verdict))
        _keep(self._unacted, case, wanted=_may_lack_effect(verdict, concluder.view))
        slot = case.slot
        if self.held.book.settle(case, verdict):
            self.held.frontier.reopen(np.array([slot]))
            self.held.expected.reopen(np.array([slot]))
            for group in (self._lacking, self._unpassed, self._unacted):
                group.discard(case)

    def _find_namesakes(self, case: Case, view: View) -> None:
        """Move effects to the topic that bore the name before, where that holds the record that they name.

        Audit lines name a topic, not its id.
        """
        present = {copy.position for copy in case.copies}
        for effect in case.effects:
            if (
                not effect.position
                or effect.position in present
                or effect.cycle > view.effects_through[effect.sink]
            ):
                continue
            offset = offset_of(effect.position)
            earlier = self.held.partitions.earlier(slot_of(effect.position))
            candidates = (pack(slot, offset) for slot in earlier)
            effect.position = next((one for one in candidates if one in present), effect.position)

    def _close_waiting(self, concluder: Concluder) -> None:
        """Judge effects whose record has not turned up although everything above was read."""
        for sink, waiting in enumerate(self.intake.waiting):
            ripe = waiting.cycle <= self.held.barriers.through[sink_stage(sink)]
            self._close_effects(sink, ripe, None, concluder)

    def _close_effects(self, sink: int, ripe: Bools, reason: Reason | None, concluder: Concluder) -> None:
        waiting = self.intake.waiting[sink]
        for index in np.flatnonzero(ripe).tolist():
            batch, effect = waiting.batch, effect_of(waiting, index)
            slot = self.held.find((int(batch.fp_hi[index]), int(batch.fp_lo[index])))
            if slot >= 0 and reason is None:
                self.intake.look_effect(waiting, index, slot, concluder)
            else:
                concluder.lose_effect(effect, reason or self._why_lost(effect.position, effect.at))
                if reason is not None:
                    self.held.expected.lose(effect)
        if ripe.any():
            self.intake.waiting[sink] = taken(waiting, ~ripe)

    def _why_lost(self, position: int, at_ms: int) -> Reason:
        if 0 < at_ms < self.held.edge.edge:
            return Reason.EXPIRED
        return self.held.why_no_copy(position) if position else Reason.NOT_IN_SOURCE

    # --------------------------------------------------------- giving up, forgetting

    def _give_up(self, cycle: Cycle, concluder: Concluder) -> None:
        """Close what waits for a barrier that is older than the window."""
        barriers = self.held.barriers
        for barrier in list(barriers.pending):
            if cycle.now_ms - barrier.taken_ms <= self.held.settings.window_ms:
                break
            for stage, through in barriers.through.items():
                if through < barrier.cycle:
                    reason = self._obstacle(barrier, stage, cycle)
                    self._close_stage(stage, barrier, reason, concluder)
                    barriers.through[stage] = barrier.cycle
            barriers.drop(barrier)

    def _obstacle(self, barrier: Barrier, stage: int, cycle: Cycle) -> Reason:
        """Why a barrier cannot be passed: a topic is gone, a transaction is open, or nothing can be read."""
        positions = padded(cycle.progress.positions, len(self.held.partitions))
        short = self.held.barriers.short_of(barrier, stage, positions)
        if any(self.held.partitions[slot].log in cycle.progress.deleted for slot in short):
            return Reason.TOPIC_DELETED
        at_end = cycle.progress.at_end
        held_back = all(slot < len(at_end) and at_end[slot] for slot in short)
        return Reason.OPEN_TRANSACTION if held_back else Reason.UNREADABLE

    def _close_stage(self, stage: int, barrier: Barrier, reason: Reason, concluder: Concluder) -> None:
        due = {case for n, cases in self._due.items() if n <= barrier.cycle for case in cases}
        for case in due:
            if case.slot < 0 or stage not in case.suspects:
                continue
            if stage >= 0:
                _close_copies(case, stage, barrier, reason, concluder)
            for effect in case.effects:
                if stage == sink_stage(effect.sink) and effect.cycle <= barrier.cycle:
                    concluder.lose_effect(effect, reason)
            self._judge(case, concluder)
        if stage >= 0:
            self.held.orphans.give_up(stage, barrier.cycle, reason, concluder.outcome)
        else:
            sink = -1 - stage
            ripe = self.intake.waiting[sink].cycle <= barrier.cycle
            self._close_effects(sink, ripe, reason, concluder)

    def _drop_due(self) -> None:
        """Forget cycles whose barrier has passed for every stage, or whose cases are all gone."""
        done = min(self.held.barriers.through.values(), default=FOREVER)
        for number in [n for n, cases in self._due.items() if not cases or n <= done]:
            del self._due[number]
        waiting = [int(w.cycle.min()) for w in self.intake.waiting if len(w)]
        oldest = min([*self._due, *waiting], default=FOREVER)
        for number in [n for n in self._since_ms if n < oldest]:
            del self._since_ms[number]

    def _forget(self, cycle: Cycle) -> None:
        held, progress = self.held, cycle.progress
        seen = progress.end_seen_ms
        if seen is None:
            seen = np.where(progress.at_end, cycle.now_ms, 0)
        held.edge.advance(progress.tailed, padded(seen, len(held.partitions)), progress.enumerated_ms)
        held.gaps.forget(held.edge.edge)
        held.retention.fit_cases()
        held.retention.expire()
        groups = (self.unbalanced, self._lacking, self._unpassed, self._unacted, *self._due.values())
        for group in groups:
            group.difference_update([case for case in group if case.slot < 0])


def _close_copies(case: Case, mirror: int, barrier: Barrier, reason: Reason, concluder: Concluder) -> None:
    for copy in case.copies:
        below = offset_of(copy.position) < int(barrier.ends[slot_of(copy.position)])
        if copy.log == mirror and below and not copy.excess and not concluder.view.admitted(copy):
            concluder.lose_copy(copy, reason)


def _keep(group: set[Case], case: Case, *, wanted: bool) -> None:
    if wanted:
        group.add(case)
    else:
        group.discard(case)


def _has_extra_lineage(verdict: Verdict) -> bool:
    return any(len(sink.readable) > 1 for part in verdict.windows for sink in part.sinks.values())


def _may_lack_effect(verdict: Verdict, view: View) -> bool:
    """Whether some case has no effect yet of a sink of which effects are expected."""
    return any(
        view.topology.sinks[sink].expects and judged.readable and not judged.effects
        for part in verdict.windows
        for sink, judged in part.sinks.items()
    )
