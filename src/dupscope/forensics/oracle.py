"""What is true of one key: the definitions of docs/design.md, section 3, as plain loops over complete lists.

Shares no code with the ledger, which comes to the same by other means: it reads as it goes, keeps bounded
memory and judges in steps. This module knows no order of reading, no barrier and no coverage. Who asks it
must leave out what was not read whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dupscope.model.layer import Layer
from dupscope.model.topology import Topology

Tag = tuple[int, int, int]

_ORIGINAL, _PRODUCE, _MIRROR = 0, 1, 2
"""Makers of lineages, lowest first."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One committed record of a key.

    `position` is packed. `place` is the order within a timestamp: partition number, offset, cluster id, topic
    id. `content` has the digest of the record's key bytes above and that of its value bytes below.
    """

    log: int
    position: int
    place: tuple[int, int, str, str]
    timestamp: int
    content: int
    redriven: bool = False

    @property
    def order(self) -> tuple[int, tuple[int, int, str, str]]:
        """The order of the logs."""
        return self.timestamp, self.place

    @property
    def number(self) -> int:
        """The partition's number."""
        return self.place[0]


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of a sink's audit log. `position` 0 and `effect_id` 0 mean: the line has none."""

    sink: int
    position: int
    at: int
    effect_id: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One duplicate that there must be a finding of.

    known_as   packed positions, one of which the finding names: of a record its own; of an effect those of
               the lineage's copies, since who has not read them all knows the lineage by another one
    ordinal    of an effect in its lineage, from 2; None for a record
    timestamp  of the record or the effect, in milliseconds
    """

    layer: Layer
    stage: str
    known_as: tuple[int, ...]
    ordinal: int | None
    timestamp: int


@dataclass(slots=True)
class Truth:
    """What holds for a key.

    by_count  copies were matched by number only, or effects without positions counted
    crowded   positions in cases where more came from above than one: a verdict that was right before some of
              it came stays, also where complete lists would say less
    """

    duplicates: list[Duplicate] = field(default_factory=list)
    by_count: bool = False
    crowded: set[int] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Lineage:
    """A copy that something made, with its faithful copies, by log."""

    maker: int
    copies: dict[int, Copy]

    def places(self, logs: Iterable[int]) -> list[int]:
        """Its positions in some logs, in the order of the logs."""
        return [self.copies[log].position for log in sorted(logs) if log in self.copies]


@dataclass(eq=False, slots=True)
class Case:
    """The copies within one window, `sources` in the order of the logs."""

    sources: list[Copy] = field(default_factory=list)
    copies: dict[int, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    lineages: list[Lineage] = field(default_factory=list)

    def at(self, logs: Iterable[int]) -> list[Copy]:
        """The copies in some logs."""
        return [copy for log in logs for copy in self.copies[log]]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Judges keys of one pipeline. Durations in milliseconds."""

    topology: Topology
    window_ms: int
    margin_ms: int

    def judge(self, copies: Sequence[Copy], effects: Sequence[Effect]) -> Truth:
        """All duplicates of a key. `effects` are in the order of the sinks' logs."""
        truth = Truth()
        cases = self._cases(copies)
        for case in cases:
            self._produce(case, truth)
            for mirror in self.topology.mirrors:
                self._mirror(case, mirror, truth)
        for sink in range(len(self.topology.sinks)):
            self._sink(sink, [effect for effect in effects if effect.sink == sink], cases, truth)
        return truth

    # ------------------------------------------------------------------ only source copies make windows

    def _cases(self, copies: Sequence[Copy]) -> list[Case]:
        cases: list[Case] = []
        for copy in sorted((c for c in copies if self.topology.is_source(c.log)), key=lambda c: c.order):
            if not cases or copy.timestamp - cases[-1].sources[-1].timestamp > self.window_ms:
                cases.append(Case())
            cases[-1].sources.append(copy)
            cases[-1].copies[copy.log].append(copy)
        for mirror in self.topology.mirrors:
            self._place([copy for copy in copies if copy.log == mirror], mirror, cases)
        return cases

    def _place(self, below: list[Copy], mirror: int, cases: list[Case]) -> None:
        """Put a mirror's copies into the cases of their upstream copies, else of the nearest source copy."""
        homes = {up: case for case in cases for up in case.at(self.topology.logs[mirror].upstream)}
        twins = self._pairs_by_tag(list(homes), below, mirror)
        for copy in below:
            same = [up for up in homes if self._tag(up, mirror) == self._tag(copy, mirror)]
            if copy in twins:
                home: Case | None = homes[twins[copy]]
            elif same:
                home = homes[min(same, key=lambda up: _apart(up, copy))]
            else:
                home = self._nearest(copy, cases)
            if home is not None:
                home.copies[mirror].append(copy)

    def _nearest(self, copy: Copy, cases: list[Case]) -> Case | None:
        near = [(_apart(up, copy), index) for index, case in enumerate(cases) for up in case.sources]
        distance, index = min(near, default=(0, -1))
        return cases[index] if index >= 0 and distance <= self.window_ms else None

    # ------------------------------------------------------------------ which copy is whose faithful copy

    def _tag(self, copy: Copy, mirror: int) -> Tag:
        """What a mirror preserves of a record."""
        parts = self.topology.logs[mirror].tag
        return (
            copy.timestamp if parts.timestamp else 0,
            copy.content >> 32 if parts.key else 0,
            copy.content & 0xFFFFFFFF if parts.value else 0,
        )

    def _pairs_by_tag(self, ups: Sequence[Copy], downs: Sequence[Copy], mirror: int) -> dict[Copy, Copy]:
        """The upstream copy of each downstream copy of equal tag that gets one.

        Copies in one partition number go first, by offset; the rest by partition and offset.
        """
        above, below = self._by_tag(ups, mirror), self._by_tag(downs, mirror)
        pairs: dict[Copy, Copy] = {}
        for tag in above.keys() & below.keys():
            pairs |= _pairs_of_one_tag(above[tag], below[tag])
        return pairs

    def _by_tag(self, copies: Sequence[Copy], mirror: int) -> dict[Tag, list[Copy]]:
        groups: dict[Tag, list[Copy]] = defaultdict(list)
        for copy in sorted(copies, key=lambda copy: copy.place):
            groups[self._tag(copy, mirror)].append(copy)
        return groups

    def _by_number(self, ups: list[Copy], downs: list[Copy], mirror: int) -> dict[Copy, Copy]:
        """Downstream copies of a tag that upstream does not have, with upstream copies that have no copy."""
        pairs = self._pairs_by_tag(ups, downs, mirror)
        known = {self._tag(up, mirror) for up in ups}
        strangers = [copy for copy in downs if self._tag(copy, mirror) not in known]
        paired = set(pairs.values())
        lacking = [up for up in ups if up not in paired]
        return dict(
            zip(
                sorted(strangers, key=lambda copy: copy.order),
                sorted(lacking, key=lambda copy: copy.order),
                strict=False,
            )
        )

    # ------------------------------------------------------------------ produce and mirror

    def _produce(self, case: Case, truth: Truth) -> None:
        """Every source copy but the first is a duplicate."""
        for index, copy in enumerate(case.sources):
            case.lineages.append(Lineage(_PRODUCE if index else _ORIGINAL, {copy.log: copy}))
            if index:
                truth.duplicates.append(self._record(Layer.PRODUCE, copy))

    def _mirror(self, case: Case, mirror: int, truth: Truth) -> None:
        """Every copy of a mirror that is not the faithful copy of one above it is a duplicate.

        Where nothing of the case lies above it, it is none.
        """
        ups, downs = case.at(self.topology.logs[mirror].upstream), case.copies[mirror]
        if not ups:
            return
        by_number = self._by_number(ups, downs, mirror)
        pairs = self._pairs_by_tag(ups, downs, mirror) | by_number
        truth.by_count |= bool(by_number)
        truth.crowded.update(copy.position for copy in (*ups, *downs) if len(ups) > 1)
        lines = {up: line for line in case.lineages for up in line.copies.values()}
        for down, up in pairs.items():
            if up in lines:
                lines[up].copies[mirror] = down
        known = {self._tag(up, mirror) for up in ups}
        for copy in sorted(downs, key=lambda copy: copy.order):
            if copy not in pairs:
                truth.by_count |= self._tag(copy, mirror) not in known
                truth.duplicates.append(self._record(Layer.MIRROR, copy))
                case.lineages.append(Lineage(_MIRROR, {mirror: copy}))

    def _record(self, layer: Layer, copy: Copy) -> Duplicate:
        stage = self.topology.logs[copy.log].name
        return Duplicate(layer, stage, (copy.position,), None, copy.timestamp)

    # ------------------------------------------------------------------ consume

    def _sink(self, sink: int, effects: list[Effect], cases: list[Case], truth: Truth) -> None:
        """Every effect of a lineage after the first is a duplicate."""
        reads = self.topology.sinks[sink].reads
        homes = {
            position: case for case in cases for line in case.lineages for position in line.places(reads)
        }
        placed = [(effect, self._home(effect, homes, cases)) for effect in effects]
        chosen = list(_distinct((effect, home) for effect, home in placed if home is not None))
        for case in cases:
            mine = [effect for effect, home in chosen if home is case]
            if all(effect.position for effect in mine):
                self._repeats(sink, case, mine, truth)
            else:
                self._repeats_by_number(sink, case, mine, truth)

    def _home(self, effect: Effect, homes: dict[int, Case], cases: list[Case]) -> Case | None:
        """The case of an effect: that of its position, else the last that began by then, give or take."""
        if effect.position:
            return homes.get(effect.position)
        begun = [case for case in cases if case.sources[0].timestamp <= effect.at]
        if begun:
            return begun[-1]
        early = cases and effect.at >= cases[0].sources[0].timestamp - self.margin_ms
        return cases[0] if early else None

    def _repeats(self, sink: int, case: Case, effects: list[Effect], truth: Truth) -> None:
        reads, stage = self.topology.sinks[sink].reads, self.topology.sinks[sink].name
        for line in case.lineages:
            places = tuple(line.places(reads))
            own = [effect for effect in effects if effect.position in places]
            for ordinal, effect in enumerate(own[1:], start=2):
                truth.duplicates.append(Duplicate(Layer.CONSUME, stage, places, ordinal, effect.at))

    def _repeats_by_number(self, sink: int, case: Case, effects: list[Effect], truth: Truth) -> None:
        """Without positions: what is beyond the lineages that the sink could read."""
        reads, stage = self.topology.sinks[sink].reads, self.topology.sinks[sink].name
        readable = sorted((x for x in case.lineages if x.places(reads)), key=_height)
        places = tuple(position for line in readable for position in line.places(reads))
        truth.by_count = True
        truth.crowded.update(places if len(readable) > 1 else ())
        extra = effects[len(readable) :] if readable else []
        for ordinal, effect in enumerate(extra, start=2):
            truth.duplicates.append(Duplicate(Layer.CONSUME, stage, places, ordinal, effect.at))


def _pairs_of_one_tag(ups: list[Copy], downs: list[Copy]) -> dict[Copy, Copy]:
    """Copies of one tag, both sorted by place: of one partition number first, then what is left."""
    pairs: dict[Copy, Copy] = {}
    for number in {copy.number for copy in ups}:
        mine = [copy for copy in downs if copy.number == number]
        pairs |= dict(zip(mine, (copy for copy in ups if copy.number == number), strict=False))
    paired = set(pairs.values())
    rest = [copy for copy in ups if copy not in paired]
    return pairs | dict(zip((copy for copy in downs if copy not in pairs), rest, strict=False))


def _distinct(effects: Iterable[tuple[Effect, Case]]) -> Iterator[tuple[Effect, Case]]:
    """One line of each effect; a line without an id stands for itself."""
    seen: set[int] = set()
    for effect, case in effects:
        if not effect.effect_id or effect.effect_id not in seen:
            yield effect, case
        seen.add(effect.effect_id)


def _height(line: Lineage) -> tuple[object, ...]:
    """Lowest first: by maker, then by the copy that it made."""
    return line.maker, next(iter(line.copies.values())).order


def _apart(one: Copy, other: Copy) -> int:
    return abs(one.timestamp - other.timestamp)
