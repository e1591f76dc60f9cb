"""The judge: from all copies and effects of a key to a verdict. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.consume import SinkJudgement, judged_effects, settle
from dupscope.ledger.lineage import Lineage, MirrorJudgement, trace
from dupscope.ledger.view import View
from dupscope.ledger.windows import Cut, Window, cut
from dupscope.model.finding import Reason
from dupscope.model.position import offset_of, slot_of


def sink_stage(sink: int) -> int:
    """A sink among the stages of a case: logs are numbered from 0 up, sinks from -1 down."""
    return -1 - sink


@dataclass(slots=True)
class WindowVerdict:
    """What holds for one case of a key."""

    window: Window
    lineages: list[Lineage]
    mirrors: dict[int, MirrorJudgement]
    sinks: dict[int, SinkJudgement] = field(default_factory=dict)


@dataclass(slots=True)
class Verdict:
    """What holds for a key. `suspects` are the stages that still wait for a barrier."""

    windows: list[WindowVerdict]
    lost_copies: list[tuple[Copy, Reason]] = field(default_factory=list)
    lost_effects: list[tuple[Effect, Reason]] = field(default_factory=list)
    suspects: frozenset[int] = frozenset()


def judge(case: Case, view: View) -> Verdict:
    """Judge all copies and effects of a key as far as barriers have passed."""
    pieces = cut(case, view)
    verdict = Verdict([WindowVerdict(w, *trace(w, view)) for w in pieces.windows])
    suspects = {
        mirror for part in verdict.windows for mirror, judged in part.mirrors.items() if judged.waiting
    }
    suspects |= _judge_homeless(pieces, verdict, view)
    for sink in range(len(view.topology.sinks)):
        if _judge_sink(case, sink, verdict, view):
            suspects.add(sink_stage(sink))
    _lose_homeless_effects(pieces, verdict, view)
    verdict.suspects = frozenset(suspects)
    return verdict


def _judge_homeless(pieces: Cut, verdict: Verdict, view: View) -> set[int]:
    """Copies of no case, and copies whose case has nothing upstream: never duplicates."""
    waiting = set()
    orphans = [
        copy for part in verdict.windows for judged in part.mirrors.values() for copy in judged.orphans
    ]
    for copy in (*pieces.homeless, *orphans):
        if view.admitted(copy):
            verdict.lost_copies.append((copy, Reason.NOT_IN_SOURCE))
        else:
            waiting.add(copy.log)
    return waiting


def _lose_homeless_effects(pieces: Cut, verdict: Verdict, view: View) -> None:
    for effect in pieces.homeless_effects:
        if effect.cycle <= view.effects_through[effect.sink]:
            verdict.lost_effects.append((effect, Reason.NOT_IN_SOURCE))


def _judge_sink(case: Case, sink: int, verdict: Verdict, view: View) -> bool:
    """Judge one sink in each case of a key; true while effects wait."""
    ready, waiting = judged_effects(case, sink, view)
    chosen: list[list[Effect]] = [[] for _ in verdict.windows]
    homes = _homes(verdict, view.topology.sinks[sink].reads)
    present = {copy.position: copy for copy in case.copies}
    for effect in ready:
        home = homes.get(effect.position)
        if home is not None:
            chosen[home].append(effect)
        elif effect.position and _is_early(effect, present, view):
            waiting += 1
        elif effect.position:
            reason = Reason.HOT_KEY if case.hot else _why_lost(effect, present, view)
            verdict.lost_effects.append((effect, reason))
    floating = set(ready)
    for index, part in enumerate(verdict.windows):
        chosen[index] += [effect for effect in part.window.floating if effect in floating]
        part.sinks[sink] = settle(chosen[index], sink, part.window, part.lineages, view)
        verdict.lost_effects += part.sinks[sink].lost
    unplaced = _unplaced(case, sink, verdict)
    for part in verdict.windows:
        part.sinks[sink].unplaced = unplaced
    return waiting > 0


def _unplaced(case: Case, sink: int, verdict: Verdict) -> int:
    """How many effects of a key are in none of its cases. The same one logged twice is one."""
    placed = {effect for part in verdict.windows for effect in part.sinks[sink].effects}
    ids = {effect.effect_id for effect in placed if effect.effect_id}
    mine = [effect for effect in case.effects if effect.sink == sink and effect not in placed]
    return sum(1 for effect in mine if effect.effect_id not in ids)


def _homes(verdict: Verdict, reads: tuple[int, ...]) -> dict[int, int]:
    """The case of each position that a sink can read."""
    return {
        lineage.copies[log].position: index
        for index, part in enumerate(verdict.windows)
        for lineage in part.lineages
        for log in reads
        if log in lineage.copies
    }


def _is_early(effect: Effect, present: dict[int, Copy], view: View) -> bool:
    """Whether the copy that was acted on still waits for its own barrier."""
    copy = present.get(effect.position)
    return copy is not None and copy.unverified is None and not view.admitted(copy)


def _why_lost(effect: Effect, present: dict[int, Copy], view: View) -> Reason:
    copy = present.get(effect.position)
    if copy is None:
        return view.lost_effect(effect.position)
    return copy.unverified or Reason.NOT_IN_SOURCE


def overtaken(copy: Copy, mirror: int, part: WindowVerdict, view: View) -> bool:
    """Whether an upstream copy in deficit counts as missing.

    A later copy of its partition arrived, the destination was then read to its end, and both lie in what
    we have read of the destination.
    """
    passed = offset_of(copy.position) < view.frontier[mirror][slot_of(copy.position)]
    if view.is_truncated(copy, mirror) or not passed:
        return False
    start = view.covered(mirror, copy)
    if start is None:
        return True
    earliest = start + view.settings.margin_ms
    concerned = part.window.sources if part.mirrors[mirror].by_count else [copy]
    return all(one.timestamp >= earliest for one in concerned)


def lacks_effect(case: Case, sink: int, part: WindowVerdict, view: View) -> bool:
    """Whether a sink, of which effects are expected, went past a case without one.

    All that it did by then is known, nothing on the way is unverified, and the case is so late that the sink
    cannot have acted on a copy of it that was never read, and not about to be forgotten.
    """
    judged, original = part.sinks[sink], part.window.sources[0]
    if not view.expects(sink) or judged.effects or judged.unplaced or original.redriven:
        return False
    logs = view.topology.seen_by(sink)
    if any(copy.unverified for log in logs for copy in part.window.copies[log]):
        return False
    start = view.covered_by(sink, view.partitions[slot_of(original.position)].logical_topic)
    early = start is not None and original.timestamp <= start + view.settings.window_ms
    early |= original.timestamp < view.edge or original.timestamp <= view.expected_after(sink)
    stage = view.topology.logs[original.log].name
    if (
        early
        or view.declared(stage, original.timestamp) is not None
        or view.awaits(sink, case.fp_hi, case.fp_lo)
    ):
        return False
    reads = view.topology.sinks[sink].reads
    copies = [copy for lineage in judged.readable for log, copy in lineage.copies.items() if log in reads]
    if any(view.may_be_lost(sink, copy) for copy in copies):
        return False
    return any(view.is_settled(sink, copy) for copy in copies)
