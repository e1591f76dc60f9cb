"""Which downstream copy is the faithful copy of which upstream copy, and to which window copies belong."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Hashable

from support.dump import Dumped
from support.truth import SOURCE, Flow, Tag, in_partition, log_order

Copies = dict[str, list[Dumped]]
TagOf = Callable[[Dumped], Tag]
Pairs = dict[int, int]
"""Index of an upstream copy by that of its faithful copy."""


def match(above: list[Dumped], below: list[Dumped], tag_of: TagOf) -> Pairs:
    """All pairs of one case: by tag first, then copies of a tag that upstream does not have, by number."""
    pairs = match_tags(above, below, tag_of)
    known = {tag_of(copy) for copy in above}
    unknown = [number for number, copy in enumerate(below) if tag_of(copy) not in known]
    taken = set(pairs.values())
    lacking = [number for number in range(len(above)) if number not in taken]
    unknown.sort(key=lambda number: log_order(below[number]))
    lacking.sort(key=lambda number: log_order(above[number]))
    pairs.update(zip(unknown, lacking, strict=False))
    return pairs


def match_tags(above: list[Dumped], below: list[Dumped], tag_of: TagOf) -> Pairs:
    """Pairs of equal tags: within one partition number by offset, the rest by (partition, offset)."""
    pairs: Pairs = {}
    labels: tuple[Callable[[Dumped], Hashable], ...] = (lambda copy: (tag_of(copy), copy.partition), tag_of)
    for label in labels:
        taken = set(pairs.values())
        free: dict[Hashable, deque[int]] = defaultdict(deque)
        for number in by_place(above):
            if number not in taken:
                free[label(above[number])].append(number)
        for number in by_place(below):
            if number not in pairs and free[label(below[number])]:
                pairs[number] = free[label(below[number])].popleft()
    return pairs


def by_place(copies: list[Dumped]) -> list[int]:
    return sorted(range(len(copies)), key=lambda number: in_partition(copies[number]))


def cut(flow: Flow, copies: Copies) -> tuple[list[Copies], Copies]:
    """The cases of one key, oldest first, and the downstream copies that belong to none.

    Only source copies make windows. All lists are in log order.
    """
    cases: list[Copies] = []
    last: int | None = None
    for copy in copies.get(SOURCE, []):
        if last is None or (flow.window_ms is not None and copy.timestamp - last > flow.window_ms):
            cases.append(defaultdict(list))
        cases[-1][SOURCE].append(copy)
        last = copy.timestamp
    homeless: Copies = defaultdict(list)
    for mirror in flow.mirrors:
        for copy, home in zip(copies.get(mirror, []), homes(flow, mirror, copies, cases), strict=True):
            (homeless if home is None else cases[home])[mirror].append(copy)
    return cases, homeless


def homes(flow: Flow, mirror: str, copies: Copies, cases: list[Copies]) -> list[int | None]:
    """The case of each of a mirror's copies: that of its upstream copy, else the nearest in time."""
    below = copies.get(mirror, [])
    if not cases or flow.window_ms is None:
        return [0 if cases else None for _ in below]
    upstream = [(copy, n) for n, case in enumerate(cases) for copy in part(case, flow.mirrors[mirror])]
    above = [copy for copy, _ in upstream]
    pairs = match_tags(above, below, lambda copy: flow.tag(mirror, copy))
    same: dict[Tag, list[tuple[int, int]]] = defaultdict(list)
    for copy, n in upstream:
        same[flow.tag(mirror, copy)].append((copy.timestamp, n))
    sources = sorted((copy.timestamp, n) for n, case in enumerate(cases) for copy in case[SOURCE])
    found: list[int | None] = []
    for number, copy in enumerate(below):
        if number in pairs:
            found.append(upstream[pairs[number]][1])
            continue
        known = sorted(same.get(flow.tag(mirror, copy), []))
        distance, home = nearest(copy.timestamp, known or sources)
        found.append(home if known or distance <= flow.window_ms else None)
    return found


def nearest(timestamp: int, among: list[tuple[int, int]]) -> tuple[int, int]:
    """(distance, case) of the entry (timestamp, case) nearest in time; `among` is sorted and not empty."""
    at = bisect_left(among, (timestamp, -1))
    return min((abs(time - timestamp), case) for time, case in among[max(at - 1, 0) : at + 1])


def part(case: Copies, spec: str) -> list[Dumped]:
    """The copies of a case in a stage, or in one cluster's part of a stage: `source@primary`."""
    stage, _, cluster = spec.partition("@")
    return [copy for copy in case.get(stage, []) if cluster in {"", copy.cluster}]
