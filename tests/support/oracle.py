"""The truth about a pipeline: plain loops over complete dumps of its logs and its sinks' own lists.

Written from the definitions in docs/design.md, and of nothing else: imports nothing of the program under
test. It knows no coverage, no bounds and no order of reading: the lists must be whole and read from offset 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from support.business_key import Key, UnkeyedError, business_key
from support.dump import Dumped
from support.pairs import Copies, cut, match, part
from support.sink_truth import judge_sink
from support.truth import SOURCE, Effect, Flow, Lineage, Replay, Tag, Truth, Where, log_order, place

__all__ = [
    "SOURCE",
    "Effect",
    "Flow",
    "Key",
    "Lineage",
    "Replay",
    "Truth",
    "UnkeyedError",
    "Where",
    "business_key",
    "judge",
]


@dataclass(eq=False)
class Judged:
    """One case: a key's copies within one window, each stage's in log order, and their lineages."""

    topic: str
    key: Key
    copies: Copies
    lineages: list[Lineage]


def judge(flow: Flow, logs: dict[str, list[Dumped]], effects: dict[str, list[Effect]]) -> Truth:
    """The truth of complete lists: `logs` by stage, `effects` by sink in the order of the sink's list."""
    truth = Truth()
    cases = [
        Judged(topic, key, case, judge_case(flow, topic, case, truth))
        for (topic, key), copies in group_by_key(flow, logs, truth).items()
        for case in windows(flow, copies, truth)
    ]
    for mirror in flow.mirrors:
        find_missing(flow, mirror, cases, truth)
    for sink in flow.sinks:
        judge_sink(flow, sink, cases, effects.get(sink, []), truth)
    return truth


def group_by_key(flow: Flow, logs: dict[str, list[Dumped]], truth: Truth) -> dict[tuple[str, Key], Copies]:
    """Copies by logical topic and key, then by stage, each list in log order."""
    found: dict[tuple[str, Key], Copies] = defaultdict(lambda: defaultdict(list))
    for stage, records in logs.items():
        for record in sorted(records, key=log_order):
            try:
                key = business_key(record.value, flow.key)
            except UnkeyedError:
                truth.unkeyed[stage] += 1
                continue
            found[flow.logical_topic(record.topic), key][stage].append(record)
    return found


def windows(flow: Flow, copies: Copies, truth: Truth) -> list[Copies]:
    """The cases of one key. Copies that belong to none are never duplicates."""
    cases, homeless = cut(flow, copies)
    for mirror, lost in homeless.items():
        not_in_source(mirror, lost, truth)
    return cases


def not_in_source(mirror: str, copies: list[Dumped], truth: Truth) -> None:
    if copies:
        truth.unverified["mirror", mirror, "not_in_source"] += len(copies)
    truth.orphans.update(place(mirror, copy) for copy in copies)


def judge_case(flow: Flow, topic: str, copies: Copies, truth: Truth) -> list[Lineage]:
    """All lineages of one case; counts its produce and mirror duplicates."""
    original, *further = copies[SOURCE]
    lineages = [Lineage("original", {SOURCE: original})]
    for copy in further:
        lineages.append(Lineage("produce", {SOURCE: copy}))
        report(flow, ("produce", SOURCE, topic), copy, [original], truth)
    for mirror, upstream in flow.mirrors.items():
        above = part(copies, upstream)
        if not above:
            not_in_source(mirror, copies.get(mirror, []), truth)
            continue
        for copy in extend(flow, mirror, copies.get(mirror, []), lineages):
            lineages.append(Lineage("mirror", {mirror: copy}))
            report(flow, ("mirror", mirror, topic), copy, above, truth)
    return lineages


def report(flow: Flow, what: tuple[str, str, str], copy: Dumped, known: list[Dumped], truth: Truth) -> None:
    """Count one duplicate, of kind `conflicting` if its value is that of none of the `known` copies."""
    layer, stage, _ = what
    reason = flow.meant(stage, copy.timestamp, copy)
    if reason is not None:
        truth.intended[layer, stage, reason] += 1
        return
    kind = "identical" if any(copy.value == one.value for one in known) else "conflicting"
    truth.duplicates[*what, kind] += 1
    truth.extras[place(stage, copy)] += 1


def extend(flow: Flow, mirror: str, below: list[Dumped], lineages: list[Lineage]) -> list[Dumped]:
    """Give every lineage its faithful copy in `mirror`; what is left over is excess, in log order."""
    upstream = [(copy, line) for line in lineages if (copy := line.at(flow.mirrors[mirror])) is not None]
    pairs = match([copy for copy, _ in upstream], below, lambda copy: flow.tag(mirror, copy))
    for down, up in pairs.items():
        upstream[up][1].copies[mirror] = below[down]
    return [copy for number, copy in enumerate(below) if number not in pairs]


def find_missing(flow: Flow, mirror: str, cases: list[Judged], truth: Truth) -> None:
    """Count upstream copies without a faithful copy: lost, where the mirror has already gone past them."""
    passed: dict[tuple[object, ...], int] = defaultdict(lambda: -1)
    for case in cases:
        for copy in witnesses(flow, mirror, case):
            passed[partition(copy)] = max(passed[partition(copy)], copy.offset)
    for line in (line for case in cases for line in case.lineages):
        above = line.at(flow.mirrors[mirror])
        if above is not None and mirror not in line.copies:
            truth.deficit[mirror] += 1
            truth.missing[mirror] += above.offset < passed[partition(above)]


def partition(copy: Dumped) -> tuple[object, ...]:
    return copy.cluster, copy.topic_id, copy.topic, copy.partition


def witnesses(flow: Flow, mirror: str, case: Judged) -> Iterable[Dumped]:
    """Upstream copies that have certainly been copied, of those with one tag in one partition the first.

    A tag that lies in several partitions upstream tells of a partition only what arrived in its namesake.
    """
    below = [line.copies[mirror] for line in case.lineages if mirror in line.copies]
    arrived = {(flow.tag(mirror, copy), copy.partition) for copy in below}
    first: dict[Tag, dict[tuple[object, ...], Dumped]] = defaultdict(dict)
    for copy in part(case.copies, flow.mirrors[mirror]):
        first[flow.tag(mirror, copy)].setdefault(partition(copy), copy)
    known = {flow.tag(mirror, copy) for copy in below}
    for tag, partitions in first.items():
        for copy in partitions.values():
            namesakes = sum(other.partition == copy.partition for other in partitions.values())
            if namesakes == 1 and (
                (tag, copy.partition) in arrived or (tag in known and len(partitions) == 1)
            ):
                yield copy
