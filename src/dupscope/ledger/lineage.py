"""Lineages: a copy that something made, with its faithful copies further down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dupscope.ledger.case import Copy
from dupscope.ledger.pairing import Pairing, pair
from dupscope.ledger.view import View
from dupscope.ledger.windows import Window
from dupscope.model.finding import Origin, Reason
from dupscope.model.layer import Layer

CLOSED = {Reason.OPEN_TRANSACTION, Reason.UNREADABLE, Reason.TOPIC_DELETED, Reason.HOT_KEY}
"""A copy closed for one of these takes no part in pairing: its upstream copy may never be seen."""


@dataclass(slots=True, eq=False)
class Lineage:
    """`maker` is None for the original. An untrusted lineage has a copy that could not be verified."""

    maker: Origin | None
    copies: dict[int, Copy]
    trusted: bool = True

    def first(self, logs: Sequence[int]) -> Copy | None:
        """The copy in the first of `logs` that holds one."""
        return next((self.copies[log] for log in logs if log in self.copies), None)

    def above(self, mirror: int, view: View) -> Copy | None:
        """The copy that a mirror's copy of this lineage is the faithful one of."""
        return self.first(view.topology.logs[mirror].upstream)


@dataclass(slots=True)
class MirrorJudgement:
    """One mirror in one case.

    excess    copies without an upstream copy, all of them; `doubt` tells why that is no verdict
    deficit   upstream copies that no known copy stands for, judged or not
    by_count  some copy was matched by number only
    waiting   copies that no barrier has passed yet and that known upstream copies do not explain
    """

    excess: list[Copy] = field(default_factory=list)
    doubt: Reason | None = None
    deficit: list[Copy] = field(default_factory=list)
    by_count: list[Copy] = field(default_factory=list)
    orphans: list[Copy] = field(default_factory=list)
    waiting: int = 0


def trace(window: Window, view: View) -> tuple[list[Lineage], dict[int, MirrorJudgement]]:
    """Build the lineages of a case, source first and then each mirror."""
    lineages = [
        Lineage(Origin.PRODUCE if index else None, {copy.log: copy})
        for index, copy in enumerate(window.sources)
    ]
    judgements = {}
    strays: set[Copy] = set()
    for mirror in view.topology.mirrors:
        judgements[mirror] = _extend(lineages, strays, window, mirror, view)
    return lineages, judgements


def _extend(
    lineages: list[Lineage], strays: set[Copy], window: Window, mirror: int, view: View
) -> MirrorJudgement:
    """Judge one mirror and add its copies to the lineages.

    `strays` are copies without anything upstream and what descends from them: they explain copies further
    down a chain, and belong to no lineage.
    """
    by_copy = {up: lineage for lineage in lineages if (up := lineage.above(mirror, view)) is not None}
    known = window.copies[mirror]
    free = [copy for copy in known if not copy.excess and copy.unverified not in CLOSED]
    admitted = [copy for copy in free if view.admitted(copy)]
    result = MirrorJudgement()
    if not window.above(mirror, view):
        result.orphans = admitted
        strays.update(admitted)
        result.waiting = len(free) - len(admitted)
        return result
    upstream = [*by_copy, *(copy for copy in window.above(mirror, view) if copy in strays)]
    pairing = pair(upstream, admitted, mirror, view)
    for down, up in pairing.faithful.items():
        if up in by_copy:
            by_copy[up].copies[mirror] = down
        else:
            strays.add(down)
    result.excess = pairing.excess + [copy for copy in known if copy.excess]
    result.by_count = pairing.by_count
    result.doubt = _doubt(window, mirror, pairing, view)
    everything = pairing if len(admitted) == len(free) else pair(upstream, free, mirror, view)
    lacking = _lacking(pairing, everything, window, mirror, view)
    result.deficit = [copy for copy in lacking if copy not in strays]
    unexplained = {*everything.excess, *everything.by_count}
    result.waiting = sum(1 for copy in free if copy in unexplained and not view.admitted(copy))
    for copy in result.excess:
        trusted = copy.excess or result.doubt is None
        lineages.append(Lineage(Origin(Layer.MIRROR.value), {mirror: copy}, trusted))
    return result


def _lacking(now: Pairing, later: Pairing, window: Window, mirror: int, view: View) -> list[Copy]:
    """Upstream copies that no copy known of a mirror stands for, not even one that was closed unjudged."""
    known = [copy for copy in window.copies[mirror] if not copy.excess]
    if any(copy.unverified in CLOSED for copy in known):
        later = pair(window.above(mirror, view), known, mirror, view)
    possible = set(later.deficit)
    return [copy for copy in now.deficit if copy in possible]


def _doubt(window: Window, mirror: int, pairing: Pairing, view: View) -> Reason | None:
    """Why an excess is no verdict.

    An upstream copy was closed unjudged, coverage is too short, or compaction may have removed one.
    """
    for copy in window.above(mirror, view):
        if copy.unverified in CLOSED:
            return copy.unverified
    if not _covered(window, mirror, pairing, view):
        return Reason.BEFORE_COVERAGE
    compacted = any(view.may_be_compacted(copy, mirror) for copy in pairing.excess)
    return Reason.COMPACTED if compacted else None


def _covered(window: Window, mirror: int, pairing: Pairing, view: View) -> bool:
    """Whether each copy of the case is late enough for an excess to be a verdict."""
    start = view.covered_above(mirror, window.sources[0])
    if start is None:
        return True
    earliest = start + view.settings.margin_ms
    tags = {view.tag(copy, mirror) for copy in window.above(mirror, view)}
    by_count = bool(pairing.by_count) or any(view.tag(copy, mirror) not in tags for copy in pairing.excess)
    if by_count or not view.topology.logs[mirror].tag.timestamp:
        earliest += view.settings.window_ms
    return all(copy.timestamp >= earliest for copies in window.copies for copy in copies)
