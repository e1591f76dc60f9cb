"""The identity that each judged case must satisfy, and the case as one line of the ledger file.

C - 1 = produce + mirror - missing - absorbed + consume
"""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.judge import Verdict, WindowVerdict, sink_stage
from dupscope.ledger.view import View
from dupscope.model.finding import Origin
from dupscope.model.position import slot_of


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
    logs = view.topology.seen_by(sink)
    produce = _produce_term(logs, part)
    consume = sum(1 for effect in judged.effects if effect.duplicate)
    mirror, missing = _mirror_terms(sink, part, view)
    right = produce + mirror - missing - judged.absorbed + consume
    extra = len(judged.effects) - 1
    return Terms(
        max(extra, 0),
        produce,
        mirror,
        missing,
        judged.absorbed,
        consume,
        extra == right if _speaks(case, sink, part, logs) else None,
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


def _produce_term(logs: tuple[int, ...], part: WindowVerdict) -> int:
    """Source copies beyond the first, of those sources that lie above a sink."""
    mine = [copy for copy in part.window.sources if copy.log in logs]
    reported = sum(1 for copy in mine if copy.reported)
    return reported if part.window.sources[0] in mine else max(reported - 1, 0)


def _mirror_terms(sink: int, part: WindowVerdict, view: View) -> tuple[int, int]:
    """Mirror-made copies and missing ones, up to a sink.

    For a sink that reads one mirror both are sums over the path. A sink that reads several logs meets a copy
    where any of them has it: what counts is which lineages it can read.
    """
    reads, path = view.topology.sinks[sink].reads, view.topology.seen_by(sink)
    if len(reads) == 1 and not view.topology.is_source(reads[0]):
        mirrors = [log for log in path if not view.topology.is_source(log)]
        made = sum(1 for log in mirrors for copy in part.window.copies[log] if copy.reported)
        return made, sum(len(part.mirrors[log].deficit) for log in mirrors)
    readable = part.sinks[sink].readable
    made = sum(1 for x in readable if x.maker is Origin.MIRROR and next(iter(x.copies.values())).reported)
    sourced = sum(1 for lineage in readable if lineage.maker is not Origin.MIRROR)
    return made, sum(1 for copy in part.window.sources if copy.log in path) - sourced


def _speaks(case: Case, sink: int, part: WindowVerdict, logs: tuple[int, ...]) -> bool:
    """S, K and C are at least 1, nothing on the path is unverified and nothing still waits."""
    judged = part.sinks[sink]
    copies = [copy for log in logs for copy in part.window.copies[log]]
    mirrors = [part.mirrors[log] for log in logs if log in part.mirrors]
    waits = bool(case.suspects & {sink_stage(sink), *logs}) or any(mirror.waiting for mirror in mirrors)
    doubtful = any(copy.unverified for copy in copies) or any(
        effect.unverified for effect in case.effects if effect.sink == sink
    )
    placed = sum(len(lineage.copies.keys() & set(logs)) for lineage in part.lineages) == len(copies)
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
        "duplicates": sum(1 for copy in judged.excess if copy.reported and copy.intended is None),
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
        "duplicate": copy.reported and copy.intended is None,
        "intended": copy.intended,
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
        "duplicate": effect.duplicate and effect.intended is None,
        "intended": effect.intended,
        "origin": effect.origin,
        "unverified": effect.unverified,
    }
