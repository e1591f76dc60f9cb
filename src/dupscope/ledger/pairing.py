"""Which downstream copy is the faithful copy of which upstream copy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from dupscope.ledger.case import Copy
from dupscope.ledger.view import View


@dataclass(slots=True)
class Pairing:
    """`faithful` maps a downstream copy to its upstream copy; the rest on either side is left over.

    `by_count` holds the downstream copies of unknown tag that were paired by number only.
    """

    faithful: dict[Copy, Copy] = field(default_factory=dict)
    by_count: list[Copy] = field(default_factory=list)
    excess: list[Copy] = field(default_factory=list)
    deficit: list[Copy] = field(default_factory=list)


def pair(upstream: list[Copy], downstream: list[Copy], mirror: int, view: View) -> Pairing:
    """Pair the copies of one case in two neighbouring logs.

    Pairs that a finding rests on stay. Within a tag, copies in the same partition number go first, by
    offset, then the rest by partition and offset. Downstream copies of unknown tag go, in log order, to
    the upstream copies that are left.
    """
    fixed = _fixed(upstream, downstream)
    gone = {*fixed, *fixed.values()}
    result = Pairing(fixed, [d for d, up in fixed.items() if view.tag(d, mirror) != view.tag(up, mirror)])
    above, below = _by_tag(upstream, mirror, view), _by_tag(downstream, mirror, view)
    for tag, ups in above.items():
        downs = [copy for copy in below.get(tag, []) if copy not in gone]
        _pair_one_tag([copy for copy in ups if copy not in gone], downs, view, result)
    strangers = [copy for tag, copies in below.items() if tag not in above for copy in copies]
    unknown = sorted((copy for copy in strangers if copy not in gone), key=view.order)
    result.deficit.sort(key=view.order)
    matched = min(len(unknown), len(result.deficit))
    result.faithful.update(zip(unknown[:matched], result.deficit[:matched], strict=True))
    result.by_count.extend(unknown[:matched])
    result.excess.extend(unknown[matched:])
    del result.deficit[:matched]
    return result


def _fixed(upstream: list[Copy], downstream: list[Copy]) -> dict[Copy, Copy]:
    known = set(upstream)
    return {copy: copy.twin for copy in downstream if copy.twin is not None and copy.twin in known}


def _by_tag(copies: list[Copy], mirror: int, view: View) -> dict[tuple[int, int], list[Copy]]:
    groups: dict[tuple[int, int], list[Copy]] = defaultdict(list)
    for copy in copies:
        groups[view.tag(copy, mirror)].append(copy)
    return groups


def _pair_one_tag(ups: list[Copy], downs: list[Copy], view: View, result: Pairing) -> None:
    above, below = _by_partition(ups, view), _by_partition(downs, view)
    for number, group in above.items():
        _zip(group, below.get(number, []), result)
    rest_up = sorted((copy for group in above.values() for copy in group), key=view.place)
    rest_down = sorted((copy for group in below.values() for copy in group), key=view.place)
    _zip(rest_up, rest_down, result)
    result.deficit.extend(rest_up)
    result.excess.extend(rest_down)


def _by_partition(copies: list[Copy], view: View) -> dict[int, list[Copy]]:
    groups: dict[int, list[Copy]] = defaultdict(list)
    for copy in sorted(copies, key=view.place):
        groups[view.number(copy)].append(copy)
    return groups


def _zip(ups: list[Copy], downs: list[Copy], result: Pairing) -> None:
    """Pair two lists from the front and leave in them what is over."""
    matched = min(len(ups), len(downs))
    result.faithful.update(zip(downs[:matched], ups[:matched], strict=True))
    del ups[:matched], downs[:matched]
