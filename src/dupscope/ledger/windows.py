"""Cutting a key's copies into cases: only source copies make windows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.pairing import pair
from dupscope.ledger.view import View


@dataclass(slots=True)
class Window:
    """One case: the copies in each log, the effects without position, and where each copy belongs."""

    copies: list[list[Copy]]
    sources: list[Copy] = field(default_factory=list)
    """The copies in all sources in the order of the logs; the first is the original."""
    floating: list[Effect] = field(default_factory=list)

    def above(self, mirror: int, view: View) -> list[Copy]:
        """The copies in the logs that a mirror copies."""
        return [copy for log in view.topology.logs[mirror].upstream for copy in self.copies[log]]


@dataclass(slots=True)
class Cut:
    """A key cut into windows. `homeless` copies and effects belong to none."""

    windows: list[Window]
    homeless: list[Copy]
    homeless_effects: list[Effect]


def cut(case: Case, view: View) -> Cut:
    """Cut a key into windows, oldest first."""
    sources = sorted((c for c in case.copies if view.topology.is_source(c.log)), key=view.order)
    result = Cut([], [], [])
    last = None
    for copy in sources:
        if last is None or copy.timestamp - last > view.settings.window_ms:
            result.windows.append(Window([[] for _ in view.topology.logs]))
        result.windows[-1].sources.append(copy)
        result.windows[-1].copies[copy.log].append(copy)
        last = copy.timestamp
    for mirror in view.topology.mirrors:
        _place_copies([copy for copy in case.copies if copy.log == mirror], mirror, result, view)
    _place_floating(case, result, view)
    return result


def _place_copies(copies: list[Copy], mirror: int, result: Cut, view: View) -> None:
    """Give each downstream copy the window of its upstream copy, else of the nearest source copy.

    Equal tags lie in several windows only where a tag has no time: there the pair decides, not the clock.
    """
    homes: dict[tuple[int, int], list[tuple[Copy, Window]]] = {}
    for window in result.windows:
        for copy in window.above(mirror, view):
            homes.setdefault(view.tag(copy, mirror), []).append((copy, window))
    pairs: dict[Copy, Copy] = {}
    if not view.topology.logs[mirror].tag.timestamp and len(result.windows) > 1:
        above = [copy for known in homes.values() for copy, _ in known]
        below = [copy for copy in copies if view.tag(copy, mirror) in homes and not copy.excess]
        pairs = pair(above, below, mirror, view).faithful
    for copy in copies:
        known = homes.get(view.tag(copy, mirror))
        if known is not None:
            _home(copy, known, pairs.get(copy)).copies[mirror].append(copy)
        else:
            nearest = _nearest(copy.timestamp, result, view)
            (result.homeless if nearest is None else nearest.copies[mirror]).append(copy)


def _home(copy: Copy, known: list[tuple[Copy, Window]], twin: Copy | None) -> Window:
    """The window of a copy's twin, else of the copy of its tag that is nearest in time."""
    own = copy.timestamp
    return min(known, key=lambda home: (home[0] is not twin, abs(home[0].timestamp - own)))[1]


def _nearest(timestamp: int, result: Cut, view: View) -> Window | None:
    """The window with the source copy nearest in time, if that is at most a window away."""
    distances = [
        (abs(source.timestamp - timestamp), index)
        for index, window in enumerate(result.windows)
        for source in (window.sources[0], window.sources[-1], *window.sources[1:-1])
    ]
    if not distances or min(distances)[0] > view.settings.window_ms:
        return None
    return result.windows[min(distances)[1]]


def _place_floating(case: Case, result: Cut, view: View) -> None:
    """Give each effect without position the last window that begins no later than it.

    Sinks stamp effects by another clock than producers, often in whole seconds: the first window also
    takes effects from up to a margin before it.
    """
    starts = [window.sources[0].timestamp for window in result.windows]
    homes = {copy: index for index, window in enumerate(result.windows) for copy in window.sources}
    for effect in case.effects:
        if effect.position or effect.unverified:
            continue
        index = bisect_right(starts, effect.at) - 1
        if effect.home in homes:
            index = homes[effect.home]
        if index < 0 and starts and effect.at >= starts[0] - view.settings.margin_ms:
            index = 0
        if index < 0:
            result.homeless_effects.append(effect)
        else:
            result.windows[index].floating.append(effect)
