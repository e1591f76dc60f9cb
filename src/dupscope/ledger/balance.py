"""The identity that each judged case must satisfy, and the case as one line of the ledger file.

C - 1 = produce + mirror - missing - absorbed + consume
"""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.consume import SinkJudgement
from dupscope.ledger.judge import Verdict, WindowVerdict, sink_stage
from dupscope.ledger.view import View
from dupscope.model.finding import Origin
from dupscope.model.position import slot_of
from dupscope.model.topology import SOURCE


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of the identity, from what was *concluded*; `balanced` is None where it says nothing."""

    extra_effects: int
    produce: int
    mirror: int
    missing: int
    absorbed: int
    consume: int
    balanced: bool | None


def terms(case: Case, sink: int, part: WindowVerdict, view: View) -> Terms:
    """The identity of one case at one sink."""
    judged = part.sinks[sink]
    path = _path(view, sink)
    produce = sum(1 for copy in part.window.sources if copy.reported)
    consume = sum(1 for effect in judged.effects if effect.duplicate)
    mirror, missing = _mirror_terms(sink, part, path, view)
    right = produce + mirror - missing - judged.absorbed + consume
    extra = len(judged.effects) - 1
    says_something = path is not None and _speaks(case, sink, judged, part, path)
    return Terms(
        max(extra, 0),
        produce,
        mirror,
        missing,
        judged.absorbed,
        consume,
        extra == right if says_something else None,
    )


def unbalanced(case: Case, verdict: Verdict, view: View) -> bool:
    """Whether some case of a key breaks the identity, or its origins do not sum to C - 1."""
    for part in verdict.windows:
        for sink, judged in part.sinks.items():
            sums = terms(case, sink, part, view)
            given = sum(1 for effect in judged.effects if effect.origin is not None)
            if sums.balanced is False or (sums.balanced and given != sums.extra_effects):
                return True
    return False


def _path(view: View, sink: int) -> tuple[int, ...] | None:
    """The mirrors between the source and a sink; None where the identity is not defined.

    That is where a sink reads several mirrors but not the source.
    """
    reads = view.topology.sinks[sink].reads
    if SOURCE in reads:
        return tuple(log for log in view.topology.seen_by(sink) if log != SOURCE)
    if len(reads) > 1:
        return None
    return tuple(log for log in view.topology.seen_by(sink) if log != SOURCE)


def _mirror_terms(
    sink: int, part: WindowVerdict, path: tuple[int, ...] | None, view: View
) -> tuple[int, int]:
    if SOURCE in view.topology.sinks[sink].reads:
        made = [x for x in part.sinks[sink].readable if x.maker is Origin.MIRROR]
        return sum(1 for x in made if next(iter(x.copies.values())).reported), 0
    mirror = sum(1 for log in path or () for copy in part.window.copies[log] if copy.reported)
    return mirror, sum(len(part.mirrors[log].deficit) for log in path or ())


def _speaks(case: Case, sink: int, judged: SinkJudgement, part: WindowVerdict, path: tuple[int, ...]) -> bool:
    """S, K and C are at least 1, nothing on the path is unverified and nothing still waits."""
    copies = [copy for log in (SOURCE, *path) for copy in part.window.copies[log]]
    waits = case.suspects & {sink_stage(sink), *path} or any(part.mirrors[log].waiting for log in path)
    doubtful = any(copy.unverified for copy in copies) or any(
        effect.unverified for effect in case.effects if effect.sink == sink
    )
    placed = sum(len(lineage.copies.keys() & {SOURCE, *path}) for lineage in part.lineages) == len(copies)
    return bool(judged.readable and judged.effects and placed and not waits and not doubtful and not case.hot)


def noteworthy(part: WindowVerdict) -> bool:
    """Whether a case has more than one copy in a log, more than one effect at a sink, or a loss."""
    return (
        any(len(copies) > 1 for copies in part.window.copies)
        or any(len(judged.effects) > 1 for judged in part.sinks.values())
        or any(copy.missing for copies in part.window.copies for copy in copies)
    )


def line(case: Case, part: WindowVerdict, view: View) -> dict[str, object]:
    """One case for the ledger file: every position and every term, no key."""
    first = part.window.sources[0]
    return {
        "pipeline": view.topology.pipeline,
        "topic": view.partitions[slot_of(first.position)].logical_topic,
        "fingerprint": case.fingerprint,
        "source": [_copy(copy, None, view) for copy in part.window.sources],
        "mirrors": {
            view.topology.logs[mirror].name: _mirror_line(mirror, part, view) for mirror in part.mirrors
        },
        "sinks": {view.topology.sinks[sink].name: _sink_line(case, sink, part, view) for sink in part.sinks},
    }


def _mirror_line(mirror: int, part: WindowVerdict, view: View) -> dict[str, object]:
    judged = part.mirrors[mirror]
    faithful = {lineage.copies[mirror] for lineage in part.lineages if mirror in lineage.copies}
    faithful -= set(judged.excess)
    copies = []
    for copy in part.window.copies[mirror]:
        matched = "count" if copy in judged.by_count else "tag" if copy in faithful else None
        copies.append(_copy(copy, matched, view))
    return {
        "copies": copies,
        "duplicates": sum(1 for copy in part.window.copies[mirror] if copy.reported),
        "missing": len(judged.deficit),
    }


def _sink_line(case: Case, sink: int, part: WindowVerdict, view: View) -> dict[str, object]:
    sums = terms(case, sink, part, view)
    judged = part.sinks[sink]
    origins = {str(origin): 0 for origin in Origin}
    for effect in judged.effects:
        if effect.origin is not None:
            origins[str(effect.origin)] += 1
    return {
        "effects": [_effect(effect, view) for effect in judged.effects],
        "extra_effects": sums.extra_effects,
        "produce": sums.produce,
        "mirror": sums.mirror,
        "missing": sums.missing,
        "absorbed": sums.absorbed,
        "consume": sums.consume,
        "origins": origins,
        "balanced": sums.balanced,
    }


def _copy(copy: Copy, matched_by: str | None, view: View) -> dict[str, object]:
    place = view.partitions.position(copy.position)
    return {
        "cluster_id": place.cluster_id,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "timestamp": copy.timestamp,
        "duplicate": copy.reported,
        "matched_by": matched_by,
        "unverified": copy.unverified,
    }


def _effect(effect: Effect, view: View) -> dict[str, object]:
    place = view.partitions.position(effect.position) if effect.position else None
    return {
        "topic": place.topic if place else None,
        "partition": place.partition if place else None,
        "offset": place.offset if place else None,
        "at": effect.at,
        "duplicate": effect.duplicate,
        "origin": effect.origin,
        "unverified": effect.unverified,
    }
