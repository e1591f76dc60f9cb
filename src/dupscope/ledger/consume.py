"""The consume layer of one case: which effects repeat, and where extra effects come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.lineage import CLOSED, Lineage
from dupscope.ledger.view import View
from dupscope.ledger.windows import Window
from dupscope.model.finding import Origin, Reason

RANK = {None: 0, Origin.PRODUCE: 1, Origin.MIRROR: 2}


@dataclass(slots=True)
class Repeat:
    """A consume duplicate: an effect beyond the first of its lineage. `ordinal` counts from 2."""

    effect: Effect
    lineage: Lineage
    first_effect: Effect
    ordinal: int


@dataclass(slots=True)
class SinkJudgement:
    """One sink in one case.

    readable   lineages with a copy in a log that the sink reads, lowest first
    effects    the judged effects C that belong to a lineage
    natural    the origin of each extra effect by the present verdict
    absorbed   readable lineages without an effect
    floating   some effect had no position: the weaker mode
    unplaced   effects of the key that are in none of its cases: they wait, or could not be verified
    """

    readable: list[Lineage]
    effects: list[Effect] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    natural: dict[Effect, Origin] = field(default_factory=dict)
    lost: list[tuple[Effect, Reason]] = field(default_factory=list)
    floating: bool = False
    absorbed: int = 0
    waiting: int = 0
    unplaced: int = 0

    @property
    def origins(self) -> Counter[Origin]:
        """Extra effects by origin."""
        return Counter(self.natural.values())


def judged_effects(case: Case, sink: int, view: View) -> tuple[list[Effect], int]:
    """The distinct effects of a sink that may be judged, and how many still wait."""
    seen: set[int] = set()
    ready: list[Effect] = []
    waiting = 0
    for effect in case.effects:
        if effect.sink != sink or effect.unverified or (effect.effect_id and effect.effect_id in seen):
            continue
        seen.add(effect.effect_id)
        if effect.cycle <= view.effects_through[sink]:
            ready.append(effect)
        else:
            waiting += 1
    return ready, waiting


def settle(
    effects: list[Effect], sink: int, window: Window, lineages: list[Lineage], view: View
) -> SinkJudgement:
    """Judge one sink in one case. `effects` are the ready ones that belong to the case."""
    reads = view.topology.sinks[sink].reads
    readable = [lineage for lineage in lineages if any(log in lineage.copies for log in reads)]
    readable.sort(key=lambda lineage: _height(lineage, view))
    result = SinkJudgement(readable, effects=effects, floating=any(not e.position for e in effects))
    acted = _by_guess(result) if result.floating else _by_position(result, reads)
    result.absorbed = len(readable) - len(acted)
    with_effect = [lineage for lineage in readable if lineage in acted and lineage.trusted]
    for lineage in with_effect[1:]:
        result.natural[acted[lineage][0]] = lineage.maker or Origin.PRODUCE
    for repeat in _uncovered(result, window, sink, view):
        _withdraw(result, repeat, Reason.BEFORE_COVERAGE)
    closed = _closed(window, sink, view)
    if closed is not None:
        for repeat in _rest_on_pairs(result):
            _withdraw(result, repeat, closed)
    return result


def _height(lineage: Lineage, view: View) -> tuple[object, ...]:
    """Lowest first: by maker, then by the place of the copy that the maker made."""
    made = next(iter(lineage.copies.values()))
    return RANK[lineage.maker], *view.order(made)


def _by_position(result: SinkJudgement, reads: tuple[int, ...]) -> dict[Lineage, list[Effect]]:
    at: dict[int, Lineage] = {
        lineage.copies[log].position: lineage
        for lineage in result.readable
        for log in reads
        if log in lineage.copies
    }
    acted: dict[Lineage, list[Effect]] = {}
    for effect in result.effects:
        acted.setdefault(at[effect.position], []).append(effect)
    for lineage, effects in acted.items():
        for ordinal, effect in enumerate(effects[1:], start=2):
            result.repeats.append(Repeat(effect, lineage, effects[0], ordinal))
            result.natural[effect] = Origin.CONSUME
    return acted


def _by_guess(result: SinkJudgement) -> dict[Lineage, list[Effect]]:
    """Without positions: as many lineages as there are effects were acted on, the rest repeats.

    What was called a repeat before stays one, also when further lineages turn up.
    """
    fresh = [effect for effect in result.effects if not effect.duplicate]
    acted = {lineage: [effect] for lineage, effect in zip(result.readable, fresh, strict=False)}
    if result.readable:
        known = [effect for effect in result.effects if effect.duplicate]
        for ordinal, effect in enumerate(known + fresh[len(acted) :], start=2):
            result.repeats.append(Repeat(effect, result.readable[0], result.effects[0], ordinal))
            result.natural[effect] = Origin.CONSUME
    return acted


def _uncovered(result: SinkJudgement, window: Window, sink: int, view: View) -> list[Repeat]:
    """Repeats that copies or lineages before the coverage start could explain."""
    starts = [view.covered(log, window.sources[0]) for log in view.topology.seen_by(sink)]
    start = max((start for start in starts if start is not None), default=None)
    if start is None:
        return []
    if result.floating:
        late = window.sources[0].timestamp > start + view.settings.window_ms
        return [] if late else [repeat for repeat in result.repeats if not repeat.effect.duplicate]
    paired = _rest_on_pairs(result)
    return [repeat for repeat in paired if not _pairs_covered(repeat.lineage, window, start, view)]


def _rest_on_pairs(result: SinkJudgement) -> list[Repeat]:
    """New repeats at another copy of their lineage than its first effect."""
    new = [repeat for repeat in result.repeats if not repeat.effect.duplicate]
    return [repeat for repeat in new if repeat.effect.position != repeat.first_effect.position]


def _closed(window: Window, sink: int, view: View) -> Reason | None:
    """Why a copy was closed unjudged that may be the faithful one in place of another."""
    copies = [copy for log in view.topology.seen_by(sink) for copy in window.copies[log]]
    return next((copy.unverified for copy in copies if copy.unverified in CLOSED), None)


def _pairs_covered(lineage: Lineage, window: Window, start: int, view: View) -> bool:
    """Whether no unread copy can belong in the place of one of a lineage's copies."""
    earliest = start + view.settings.margin_ms
    for mirror, copy in lineage.copies.items():
        if view.topology.is_source(mirror):
            continue
        timed = view.topology.logs[mirror].tag.timestamp
        if not timed or not _same_tag(copy, lineage.above(mirror, view), mirror, view):
            earliest = start + view.settings.margin_ms + view.settings.window_ms
    return all(copy.timestamp >= earliest for copies in window.copies for copy in copies)


def _same_tag(copy: Copy, upstream: Copy | None, mirror: int, view: View) -> bool:
    return upstream is None or view.tag(copy, mirror) == view.tag(upstream, mirror)


def _withdraw(result: SinkJudgement, repeat: Repeat, reason: Reason) -> None:
    """What would be a repeat is unverified."""
    result.natural.pop(repeat.effect, None)
    result.effects.remove(repeat.effect)
    result.repeats.remove(repeat)
    result.lost.append((repeat.effect, reason))
