"""The truth about a pipeline: plain loops over complete dumps of its logs and its sinks' own lists.

Written from the definitions in docs/design.md, and of nothing else: imports nothing of the program under
test. It knows no window, no coverage and no order of reading: the lists must be whole, within one window
and read from offset 0.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from support.dump import Dumped

SOURCE = "source"
MAKERS = ("original", "produce", "mirror")

Key = tuple[tuple[str, str], ...]
Tag = tuple[int, bytes | None, bytes | None]


class Where(NamedTuple):
    """A place in a log of a stage, under the topic's physical name."""

    stage: str
    topic: str
    partition: int
    offset: int


class Effect(NamedTuple):
    """One side effect as the sink's own list has it. Two lines of one `effect_id` are one effect."""

    where: Where
    effect_id: str | None = None


@dataclass(frozen=True)
class Flow:
    """The shape of a pipeline: mirrors after what they copy; `logical` has the topics that mirrors rename."""

    key: tuple[str, ...]
    mirrors: dict[str, str] = field(default_factory=dict)
    sinks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    logical: dict[str, str] = field(default_factory=dict)

    def logical_topic(self, topic: str) -> str:
        return self.logical.get(topic, topic)


@dataclass
class Lineage:
    """One copy that something made, with its faithful copies: at most one in each stage."""

    maker: str
    copies: dict[str, Dumped]
    effects: int = 0

    def rank(self) -> tuple[int, tuple[int, int, int, str]]:
        return MAKERS.index(self.maker), min(log_order(copy) for copy in self.copies.values())

    def first_read(self, reads: tuple[str, ...]) -> Where | None:
        """The first place, in the order of `reads`, where a sink could meet it."""
        return next((place(stage, self.copies[stage]) for stage in reads if stage in self.copies), None)


@dataclass
class Truth:
    """What is in the lists.

    `extras` counts, per place, the duplicates found there: source and mirror copies once, a consumed place
    once for each effect beyond the first. `duplicates` is by (layer, stage, logical topic, kind), `effects`
    by (sink, origin), `missing` by mirror, `extra_copies` and `absorbed` by sink, `unverified` by (layer,
    stage, reason), `unkeyed` by stage.
    """

    extras: Counter[Where] = field(default_factory=Counter)
    duplicates: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    deficit: Counter[str] = field(default_factory=Counter)
    extra_copies: Counter[str] = field(default_factory=Counter)
    absorbed: Counter[str] = field(default_factory=Counter)
    unverified: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unkeyed: Counter[str] = field(default_factory=Counter)
    unbalanced: list[tuple[str, Key]] = field(default_factory=list)

    def layer(self, name: str) -> int:
        """Duplicates of one layer."""
        return sum(count for (layer, *_), count in self.duplicates.items() if layer == name)

    def places(self, stage: str) -> Counter[Where]:
        return Counter({where: count for where, count in self.extras.items() if where.stage == stage})


def log_order(copy: Dumped) -> tuple[int, int, int, str]:
    return copy.timestamp, copy.partition, copy.offset, copy.topic


def place(stage: str, copy: Dumped) -> Where:
    return Where(stage, copy.topic, copy.partition, copy.offset)


def tag(copy: Dumped) -> Tag:
    return copy.timestamp, copy.key, copy.value


class UnkeyedError(Exception):
    """A record has no business key."""


def business_key(value: bytes | None, paths: tuple[str, ...]) -> Key:
    """The typed parts of a key. Integers are the text they are written as, so they equal that string."""
    if value is None:
        raise UnkeyedError("null value")
    try:
        document = json.loads(value, parse_int=str, parse_float=lambda text: ("other", text))
    except ValueError as error:
        raise UnkeyedError("no JSON") from error
    return tuple(typed(walk(document, path)) for path in paths)


def walk(document: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            raise UnkeyedError(f"no {path}")
        document = document[name]
    return document


def typed(part: object) -> tuple[str, str]:
    if isinstance(part, bool):
        return "other", json.dumps(part)
    if isinstance(part, tuple):
        return part
    if isinstance(part, str):
        return "string", part
    raise UnkeyedError("null or no scalar")


def judge(flow: Flow, logs: dict[str, list[Dumped]], effects: dict[str, list[Effect]]) -> Truth:
    """The truth of complete lists: `logs` by stage, `effects` by sink in the order of the sink's list."""
    truth = Truth()
    cases = group_by_key(flow, logs, truth)
    makers = {case: judge_case(flow, case, copies, truth) for case, copies in cases.items()}
    find_missing(flow, cases, makers, truth)
    for sink, reads in flow.sinks.items():
        judge_sink(sink, reads, makers, effects.get(sink, []), truth)
        for case, lineages in makers.items():
            if not balanced(flow, reads, lineages):
                truth.unbalanced.append(case)
    return truth


Case = tuple[str, Key]
Copies = dict[str, list[Dumped]]


def group_by_key(flow: Flow, logs: dict[str, list[Dumped]], truth: Truth) -> dict[Case, Copies]:
    """Copies by logical topic and key, then by stage, each list in log order."""
    cases: dict[Case, Copies] = defaultdict(lambda: defaultdict(list))
    for stage, records in logs.items():
        for record in sorted(records, key=log_order):
            try:
                key = business_key(record.value, flow.key)
            except UnkeyedError:
                truth.unkeyed[stage] += 1
                continue
            cases[flow.logical_topic(record.topic), key][stage].append(record)
    return cases


def judge_case(flow: Flow, case: Case, copies: Copies, truth: Truth) -> list[Lineage]:
    """All lineages of one case; counts its produce and mirror duplicates."""
    topic, _ = case
    lineages = []
    source = copies.get(SOURCE, [])
    for copy in source:
        lineages.append(Lineage("produce" if lineages else "original", {SOURCE: copy}))
        if len(lineages) > 1:
            kind = "identical" if copy.value == source[0].value else "conflicting"
            truth.duplicates["produce", SOURCE, topic, kind] += 1
            truth.extras[place(SOURCE, copy)] += 1
    for mirror, upstream in flow.mirrors.items():
        above = [line.copies[upstream] for line in lineages if upstream in line.copies]
        if not above:
            truth.unverified["mirror", mirror, "not_in_source"] += len(copies.get(mirror, []))
            continue
        for copy in pair(mirror, upstream, copies.get(mirror, []), lineages):
            lineages.append(Lineage("mirror", {mirror: copy}))
            kind = "identical" if copy.value in {known.value for known in above} else "conflicting"
            truth.duplicates["mirror", mirror, topic, kind] += 1
            truth.extras[place(mirror, copy)] += 1
    return lineages


def pair(mirror: str, upstream: str, below: list[Dumped], lineages: list[Lineage]) -> list[Dumped]:
    """Give every lineage its faithful copy in `mirror`; what is left over is excess.

    Within a tag the same partition comes first, by offset; then (partition, offset); then copies of a tag
    that is unknown upstream go to upstream copies still without one, in log order.
    """
    waiting = sorted(
        (line for line in lineages if upstream in line.copies), key=lambda line: by_log(line, upstream)
    )
    known = {tag(line.copies[upstream]) for line in waiting}
    left = list(below)
    for same_partition in (True, False):
        for copy in sorted(left, key=lambda one: (one.partition, one.offset)):
            candidates = [
                line
                for line in waiting
                if tag(line.copies[upstream]) == tag(copy)
                and (not same_partition or line.copies[upstream].partition == copy.partition)
            ]
            if candidates:
                take(mirror, copy, min(candidates, key=lambda line: by_place(line, upstream)), waiting)
                left.remove(copy)
    for copy in [one for one in left if tag(one) not in known]:
        if waiting:
            take(mirror, copy, waiting[0], waiting)
            left.remove(copy)
    return left


def take(mirror: str, copy: Dumped, lineage: Lineage, waiting: list[Lineage]) -> None:
    lineage.copies[mirror] = copy
    waiting.remove(lineage)


def by_log(lineage: Lineage, stage: str) -> tuple[int, int, int, str]:
    return log_order(lineage.copies[stage])


def by_place(lineage: Lineage, stage: str) -> tuple[int, int]:
    return lineage.copies[stage].partition, lineage.copies[stage].offset


def find_missing(
    flow: Flow, cases: dict[Case, Copies], makers: dict[Case, list[Lineage]], truth: Truth
) -> None:
    """Count upstream copies without a faithful copy: lost, where the mirror has already gone past them."""
    for mirror, upstream in flow.mirrors.items():
        passed: dict[tuple[str, int], int] = defaultdict(lambda: -1)
        for case, lineages in makers.items():
            for witness in witnesses(cases[case].get(upstream, []), mirror, lineages):
                at = witness.topic, witness.partition
                passed[at] = max(passed[at], witness.offset)
        for line in (line for lineages in makers.values() for line in lineages):
            copy = line.copies.get(upstream)
            if copy is not None and mirror not in line.copies:
                truth.deficit[mirror] += 1
                truth.missing[mirror] += copy.offset < passed[copy.topic, copy.partition]


def witnesses(above: list[Dumped], mirror: str, lineages: list[Lineage]) -> Iterable[Dumped]:
    """Upstream copies that have certainly been copied, of those with one tag in one partition the first.

    A tag that lies in several partitions upstream tells of a partition only what arrived in its namesake.
    """
    below = [line.copies[mirror] for line in lineages if mirror in line.copies]
    arrived = {(tag(copy), copy.partition) for copy in below}
    first: dict[Tag, dict[int, Dumped]] = defaultdict(dict)
    for copy in above:
        first[tag(copy)].setdefault(copy.partition, copy)
    known = {tag(copy) for copy in below}
    for own_tag, partitions in first.items():
        for number, copy in partitions.items():
            if (own_tag, number) in arrived or (own_tag in known and len(partitions) == 1):
                yield copy


def judge_sink(
    sink: str,
    reads: tuple[str, ...],
    makers: dict[Case, list[Lineage]],
    effects: list[Effect],
    truth: Truth,
) -> None:
    """Assign a sink's effects to lineages; count repeats, origins and what the sink absorbed."""
    where = {
        place(stage, copy): (case, line)
        for case, lineages in makers.items()
        for line in lineages
        for stage, copy in line.copies.items()
        if stage in reads
    }
    assign(sink, effects, where, truth)
    for (topic, _), lineages in makers.items():
        readable = [line for line in lineages if line.first_read(reads) is not None]
        acted = sorted((line for line in readable if line.effects), key=Lineage.rank)
        truth.extra_copies[sink] += max(len(readable) - 1, 0)
        truth.absorbed[sink] += len(readable) - len(acted)
        for line in acted[1:]:
            truth.effects[sink, line.maker] += 1
        for line in acted:
            count_repeats(sink, topic, reads, line, truth)


def assign(sink: str, effects: list[Effect], where: dict[Where, tuple[Case, Lineage]], truth: Truth) -> None:
    """Set every lineage's number of effects to this sink's."""
    seen: set[tuple[Case, str | None]] = set()
    for _, line in where.values():
        line.effects = 0
    for effect in effects:
        if effect.where not in where:
            truth.unverified["consume", sink, "no_copy"] += 1
            continue
        case, line = where[effect.where]
        if effect.effect_id is not None and (case, effect.effect_id) in seen:
            continue
        seen.add((case, effect.effect_id))
        line.effects += 1


def count_repeats(sink: str, topic: str, reads: tuple[str, ...], line: Lineage, truth: Truth) -> None:
    repeats = line.effects - 1
    first = line.first_read(reads)
    if repeats and first is not None:
        truth.duplicates["consume", sink, topic, "identical"] += repeats
        truth.extras[first._replace(stage=sink)] += repeats
        truth.effects[sink, "consume"] += repeats


def balanced(flow: Flow, reads: tuple[str, ...], lineages: list[Lineage]) -> bool:
    """C - 1 = produce + mirror - missing - absorbed + consume, for a sink that reads one mirror."""
    path = path_to(flow, reads)
    effects = sum(line.effects for line in lineages)
    readable = [line for line in lineages if line.first_read(reads) is not None]
    if not path or not effects or not any(SOURCE in line.copies for line in lineages):
        return True
    produce = sum(line.maker == "produce" for line in lineages)
    mirror = sum(line.maker == "mirror" and bool(path & line.copies.keys()) for line in lineages)
    missing = sum(
        upstream in line.copies and one not in line.copies
        for line in lineages
        for one, upstream in steps(flow, path)
    )
    absorbed = sum(not line.effects for line in readable)
    consume = sum(max(line.effects - 1, 0) for line in lineages)
    return effects - 1 == produce + mirror - missing - absorbed + consume


def path_to(flow: Flow, reads: tuple[str, ...]) -> set[str]:
    """The mirrors from the source down to the one mirror that is read; empty for any other kind of sink."""
    path: set[str] = set()
    if len(reads) == 1:
        stage = reads[0]
        while stage != SOURCE:
            path.add(stage)
            stage = flow.mirrors[stage]
    return path


def steps(flow: Flow, path: set[str]) -> list[tuple[str, str]]:
    return [(mirror, upstream) for mirror, upstream in flow.mirrors.items() if mirror in path]
