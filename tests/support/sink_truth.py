"""The oracle's sinks: which effects repeat, where extra effects come from, and the identity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Protocol

from support.business_key import Key
from support.truth import SOURCE, Effect, Flow, Lineage, Truth, Where, place


class JudgedCase(Protocol):
    """One case: the logical topic, the key and the lineages of its copies."""

    topic: str
    key: Key
    lineages: list[Lineage]


Placed = dict[Where, tuple[JudgedCase, Lineage]]


def judge_sink(
    flow: Flow, sink: str, cases: Sequence[JudgedCase], effects: list[Effect], truth: Truth
) -> None:
    """Give a sink's effects to lineages; count repeats, origins and what the sink absorbed."""
    reads = flow.sinks[sink]
    floating = assign(flow, sink, cases, effects, truth)
    for case in cases:
        readable = [line for line in case.lineages if line.first_read(reads) is not None]
        readable.sort(key=Lineage.rank)
        extra = spread(readable, floating[id(case)]) if floating[id(case)] else []
        acted = [line for line in readable if line.acts]
        truth.extra_copies[sink] += max(len(readable) - 1, 0)
        truth.absorbed[sink] += len(readable) - len(acted)
        for line in acted[1:]:
            truth.effects[sink, line.maker] += 1
        for line in (line for line in acted if line.acts[1:]):
            count_repeats(flow, (sink, case.topic), line, line.acts[1:], truth)
        if extra:
            count_repeats(flow, (sink, case.topic), readable[0], extra, truth)
        if not balanced(flow, reads, case.lineages, readable, len(extra)):
            truth.unbalanced.append((case.topic, case.key))


def assign(
    flow: Flow, sink: str, cases: Sequence[JudgedCase], effects: list[Effect], truth: Truth
) -> dict[int, list[Effect]]:
    """Set every lineage's effects to this sink's. Returns, by the id of the case, those without a place."""
    where = placed(flow, sink, cases)
    by_key: dict[Key, list[JudgedCase]] = defaultdict(list)
    for case in cases:
        by_key[case.key].append(case)
    floating: dict[int, list[Effect]] = defaultdict(list)
    seen: set[object] = set()
    for effect in effects:
        line, home = None, case_of(flow, effect, by_key[effect.key or ()])
        if effect.where is not None:
            home, line = where.get(effect.where, (None, None))
        if home is None:
            truth.unverified["consume", sink, why_lost(effect, truth)] += 1
        elif effect.effect_id is None or (home.topic, home.key, effect.effect_id) not in seen:
            seen.add((home.topic, home.key, effect.effect_id))
            (floating[id(home)] if line is None else line.acts).append(effect)
    return floating


def why_lost(effect: Effect, truth: Truth) -> str:
    """Why an effect belongs to no case."""
    return "not_in_source" if effect.where is None or effect.where in truth.orphans else "no_copy"


def placed(flow: Flow, sink: str, cases: Sequence[JudgedCase]) -> Placed:
    """The lineage at each place that a sink can read; all of them without effects."""
    found: Placed = {}
    for case in cases:
        for line in case.lineages:
            line.acts = []
            for spec in flow.sinks[sink]:
                copy = line.at(spec)
                if copy is not None:
                    found[place(spec.partition("@")[0], copy)] = case, line
    return found


def case_of(flow: Flow, effect: Effect, cases: list[JudgedCase]) -> JudgedCase | None:
    """The last case of an effect's key whose first source copy is not later than the effect.

    The first case also takes effects of up to a margin before it: clocks differ.
    """
    own = [case for case in cases if effect.topic in {None, case.topic}]
    own.sort(key=begin)
    at = effect.at or 0
    begun = [case for case in own if begin(case) <= at]
    if begun:
        return begun[-1]
    return own[0] if own and begin(own[0]) - flow.margin_ms <= at else None


def begin(case: JudgedCase) -> int:
    return min(line.copies[SOURCE].timestamp for line in case.lineages if SOURCE in line.copies)


def spread(readable: list[Lineage], floating: list[Effect]) -> list[Effect]:
    """Without places only numbers can be compared: give one effect to each lineage, return the rest."""
    effects = [effect for line in readable for effect in line.acts] + floating
    for line in readable:
        line.acts = []
    if not readable:
        return []
    for line, effect in zip(readable, effects, strict=False):
        line.acts = [effect]
    return effects[len(readable) :]


def count_repeats(
    flow: Flow, what: tuple[str, str], line: Lineage, repeats: list[Effect], truth: Truth
) -> None:
    """Count effects beyond the first of a lineage, at its first place that the sink reads."""
    sink, topic = what
    first = line.first_read(flow.sinks[sink])
    reasons = Counter(flow.meant(sink, effect.at) for effect in repeats)
    truth.effects[sink, "consume"] += len(repeats)
    for reason, count in reasons.items():
        if reason is not None:
            truth.intended["consume", sink, reason] += count
        elif first is not None:
            truth.duplicates["consume", sink, topic, "identical"] += count
            truth.extras[first._replace(stage=sink)] += count


def balanced(
    flow: Flow, reads: tuple[str, ...], lineages: list[Lineage], readable: list[Lineage], extra: int
) -> bool:
    """C - 1 = produce + mirror - missing - absorbed + consume, for a sink that reads one mirror.

    `extra` are effects without a place beyond one for each lineage.
    """
    path = flow.from_source(reads[0]) if len(reads) == 1 else []
    effects = sum(len(line.acts) for line in readable) + extra
    root = path[0][1] if path else SOURCE
    sources = sum(line.at(root) is not None for line in lineages)
    if not (path and effects and sources):
        return True
    stages = {mirror for mirror, _ in path}
    made = sum(line.maker == "mirror" and bool(stages & line.copies.keys()) for line in lineages)
    missing = sum(
        line.at(above) is not None and one not in line.copies for line in lineages for one, above in path
    )
    absorbed = sum(not line.acts for line in readable)
    consume = sum(max(len(line.acts) - 1, 0) for line in readable) + extra
    return effects - 1 == sources - 1 + made - missing - absorbed + consume
