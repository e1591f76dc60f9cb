"""What is true of complete lists of copies and effects, by plain loops.

Written from the definitions in docs/design.md alone and imports nothing of the ledger. It knows nothing of
reading: no order, no batches, no barriers, no coverage. Every list is whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dupscope.model.topology import Topology

RANK = {"original": 0, "produce": 1, "mirror": 2}


class Where(NamedTuple):
    """A position: log, partition number, offset."""

    log: int
    partition: int
    offset: int


class Copy(NamedTuple):
    """One committed record. `content` has the digest of the Kafka key above and of the value below."""

    where: Where
    timestamp: int
    key: int
    content: int

    @property
    def payload(self) -> int:
        return self.content & 0xFFFFFFFF

    @property
    def order(self) -> tuple[int, int, int, int]:
        return self.timestamp, *self.place

    @property
    def place(self) -> tuple[int, int, int]:
        """The order within a time; logs are numbered in the order of their clusters' names."""
        return self.where.partition, self.where.offset, self.where.log


class Effect(NamedTuple):
    """One line of a sink's audit log. `where` None and `effect_id` 0 mean: the line has none."""

    sink: int
    where: Where | None
    at: int
    key: int
    effect_id: int


class Found(NamedTuple):
    """A duplicate as (stage, where, ordinal); the ordinal is None outside the sinks."""

    stage: str
    where: Where
    ordinal: int | None = None


@dataclass(eq=False)
class Lineage:
    """A copy that something made, with its faithful copies, by log."""

    maker: str
    copies: dict[int, Copy]

    @property
    def height(self) -> tuple[int, tuple[int, int, int, int]]:
        return RANK[self.maker], next(iter(self.copies.values())).order

    def first(self, reads: tuple[int, ...]) -> Where:
        """The most upstream position in a log that a sink reads."""
        return next(self.copies[log].where for log in sorted(reads) if log in self.copies)


@dataclass
class SinkTerms:
    """The identity of one case at one sink."""

    effects: int
    readable: int
    produce: int
    mirror: int
    missing: int
    absorbed: int
    consume: int
    origins: Counter[str] = field(default_factory=Counter)

    @property
    def balanced(self) -> bool:
        right = self.produce + self.mirror - self.missing - self.absorbed + self.consume
        return self.effects - 1 == right and self.effects - 1 == self.origins.total()


@dataclass
class Case:
    """One window of one key: copies by log, and what follows. `twins`: upstream copies of faithful ones."""

    key: int
    copies: list[list[Copy]]
    lineages: list[Lineage] = field(default_factory=list)
    excess: dict[int, list[Copy]] = field(default_factory=dict)
    deficit: dict[int, list[Copy]] = field(default_factory=dict)
    orphans: list[Copy] = field(default_factory=list)
    twins: dict[Copy, Copy] = field(default_factory=dict)
    sinks: dict[int, SinkTerms] = field(default_factory=dict)
    sources: list[Copy] = field(default_factory=list)

    def above(self, mirror: int, topology: Topology) -> list[Copy]:
        """The copies in the logs that a mirror copies."""
        return [copy for log in topology.logs[mirror].upstream for copy in self.copies[log]]


@dataclass
class Truth:
    """Everything that holds of the lists. `found` by key; `unverified` has (stage, what)."""

    cases: list[Case] = field(default_factory=list)
    found: dict[int, dict[Found, str]] = field(default_factory=lambda: defaultdict(dict))
    unverified: set[tuple[str, object]] = field(default_factory=set)
    missing: set[tuple[int, Where]] = field(default_factory=set)
    known_as: dict[Found, Found] = field(default_factory=dict)
    """A repeat by every position of its lineage: who has not read all logs knows it by another."""
    floating: Counter[tuple[int, int, Where]] = field(default_factory=Counter)
    """Repeats of sinks without positions, by sink, key and original: which effect is one cannot be told."""

    def twins(self, key: int) -> dict[Copy, Copy]:
        """The upstream copy of each faithful copy of a key."""
        return {down: up for case in self.cases if case.key == key for down, up in case.twins.items()}

    def all_found(self) -> dict[Found, str]:
        return {found: kind for kinds in self.found.values() for found, kind in kinds.items()}


@dataclass(frozen=True)
class Oracle:
    """Asks complete lists."""

    topology: Topology
    window_ms: int

    def truth(self, copies: Iterable[Copy], effects: Iterable[Effect]) -> Truth:
        """All duplicates, losses and doubts of complete lists."""
        truth = Truth()
        copies, effects = list(copies), list(effects)
        for key in sorted({c.key for c in copies} | {e.key for e in effects}):
            own = [copy for copy in copies if copy.key == key]
            cases, homeless = self._cases(key, own)
            for copy in (*homeless, *(o for case in cases for o in case.orphans)):
                truth.unverified.add((self._stage(copy.where.log), copy.where))
            for case in cases:
                self._report_copies(case, truth)
            for sink in range(len(self.topology.sinks)):
                mine = [effect for effect in effects if effect.key == key and effect.sink == sink]
                self._sink(sink, _distinct(mine), cases, truth)
            truth.cases += cases
        self._overtaken(truth, copies)
        return truth

    def _stage(self, log: int) -> str:
        return self.topology.logs[log].name

    def _is_source(self, copy: Copy) -> bool:
        return not self.topology.logs[copy.where.log].upstream

    # cases

    def _cases(self, key: int, copies: list[Copy]) -> tuple[list[Case], list[Copy]]:
        cases: list[Case] = []
        last = None
        for copy in sorted((c for c in copies if self._is_source(c)), key=lambda c: c.order):
            if last is None or copy.timestamp - last > self.window_ms:
                cases.append(Case(key, [[] for _ in self.topology.logs]))
            cases[-1].sources.append(copy)
            cases[-1].copies[copy.where.log].append(copy)
            last = copy.timestamp
        homeless = []
        for mirror in self.topology.mirrors:
            homes = self._homes([c for c in copies if c.where.log == mirror], mirror, cases)
            for copy, home in homes.items():
                (homeless if home is None else home.copies[mirror]).append(copy)
        for case in cases:
            self._trace(case)
        return cases, homeless

    def _homes(self, copies: list[Copy], mirror: int, cases: list[Case]) -> dict[Copy, Case | None]:
        """The case of each downstream copy: that of its upstream copy, else the nearest in time."""
        ups = [up for case in cases for up in case.above(mirror, self.topology)]
        pairs = self._pairs_by_tag(ups, copies, mirror)
        owner = {up: case for case in cases for up in case.above(mirror, self.topology)}
        homes: dict[Copy, Case | None] = {down: owner[up] for up, down in pairs.items()}
        for copy in copies:
            if copy not in homes:
                same = [up for up in ups if self.tag(up, mirror) == self.tag(copy, mirror)]
                homes[copy] = self._nearest(copy, cases)
                if same:
                    homes[copy] = owner[min(same, key=lambda up: _apart(up, copy))]
        return {copy: homes[copy] for copy in copies}

    def _nearest(self, copy: Copy, cases: list[Case]) -> Case | None:
        near = [(_apart(up, copy), i) for i, c in enumerate(cases) for up in c.sources]
        near = [one for one in near if one[0] <= self.window_ms]
        return cases[min(near)[1]] if near else None

    def tag(self, copy: Copy, mirror: int) -> tuple[int, int, int]:
        """What a mirror preserves of a copy."""
        parts = self.topology.logs[mirror].tag
        return (
            copy.timestamp if parts.timestamp else 0,
            copy.content >> 32 if parts.key else 0,
            copy.payload if parts.value else 0,
        )

    # lineages

    def _trace(self, case: Case) -> None:
        for index, copy in enumerate(case.sources):
            case.lineages.append(Lineage("produce" if index else "original", {copy.where.log: copy}))
        for mirror in self.topology.mirrors:
            ups, downs = case.above(mirror, self.topology), case.copies[mirror]
            case.excess[mirror], case.deficit[mirror] = [], []
            if not ups:
                case.orphans += downs
                continue
            pairs = self._pairs(ups, downs, mirror)
            case.twins.update({down: up for up, down in pairs.items()})
            for lineage in list(case.lineages):
                up = next((copy for copy in lineage.copies.values() if copy in ups), None)
                if up is not None and up in pairs:
                    lineage.copies[mirror] = pairs[up]
                elif up is not None:
                    case.deficit[mirror].append(up)
            for copy in downs:
                if copy not in pairs.values():
                    case.excess[mirror].append(copy)
                    case.lineages.append(Lineage("mirror", {mirror: copy}))

    def _pairs(self, ups: list[Copy], downs: list[Copy], mirror: int) -> dict[Copy, Copy]:
        """The faithful copy of each upstream copy that has one."""
        pairs = self._pairs_by_tag(ups, downs, mirror)
        tags = {self.tag(up, mirror) for up in ups}
        unknown = sorted((d for d in downs if self.tag(d, mirror) not in tags), key=lambda c: c.order)
        lacking = sorted((up for up in ups if up not in pairs), key=lambda c: c.order)
        pairs.update(zip(lacking, unknown, strict=False))
        return pairs

    def _pairs_by_tag(self, ups: list[Copy], downs: list[Copy], mirror: int) -> dict[Copy, Copy]:
        pairs: dict[Copy, Copy] = {}
        place = sorted(downs, key=lambda c: c.place)
        for same_partition in (True, False):
            for up in sorted(ups, key=lambda c: c.place):
                for down in place:
                    if up in pairs or down in pairs.values():
                        continue
                    if self.tag(up, mirror) != self.tag(down, mirror):
                        continue
                    if not same_partition or up.where.partition == down.where.partition:
                        pairs[up] = down
        return pairs

    def _report_copies(self, case: Case, truth: Truth) -> None:
        original, *further = case.sources
        for copy in further:
            kind = "identical" if copy.payload == original.payload else "conflicting"
            truth.found[case.key][Found(self._stage(copy.where.log), copy.where)] = kind
        for mirror, copies in case.excess.items():
            known = {up.payload for up in case.above(mirror, self.topology)}
            for copy in copies:
                kind = "identical" if copy.payload in known else "conflicting"
                truth.found[case.key][Found(self._stage(mirror), copy.where)] = kind

    # sinks

    def _sink(self, sink: int, effects: list[Effect], cases: list[Case], truth: Truth) -> None:
        reads, stage = self.topology.sinks[sink].reads, self.topology.sinks[sink].name
        chosen: list[list[Effect]] = [[] for _ in cases]
        for number, effect in enumerate(effects):
            index = self._case_of(effect, cases, reads)
            if index is None:
                truth.unverified.add((stage, (effect.key, number)))
            else:
                chosen[index].append(effect)
        for case, mine in zip(cases, chosen, strict=True):
            if any(effect.where is None for effect in mine):
                self._guess(sink, case, mine, truth)
            else:
                self._act(sink, case, mine, truth)

    def _case_of(self, effect: Effect, cases: list[Case], reads: tuple[int, ...]) -> int | None:
        result = None
        for index, case in enumerate(cases):
            if effect.where is None and case.sources[0].timestamp <= effect.at:
                result = index
            for lineage in case.lineages:
                if any(log in reads and c.where == effect.where for log, c in lineage.copies.items()):
                    result = index
        return result

    def _act(self, sink: int, case: Case, effects: list[Effect], truth: Truth) -> None:
        """A sink whose lines name positions."""
        reads, stage = self.topology.sinks[sink].reads, self.topology.sinks[sink].name
        origins: Counter[str] = Counter()
        consume, makers = 0, []
        readable = [x for x in case.lineages if set(reads) & set(x.copies)]
        for lineage in sorted(readable, key=lambda x: x.height):
            places = {lineage.copies[log].where for log in reads if log in lineage.copies}
            count = sum(1 for effect in effects if effect.where in places)
            if count:
                makers.append(lineage.maker)
            for ordinal in range(2, count + 1):
                repeat = Found(stage, lineage.first(reads), ordinal)
                truth.found[case.key][repeat] = "identical"
                truth.known_as.update({Found(stage, where, ordinal): repeat for where in places})
                origins["consume"] += 1
                consume += 1
        origins.update(makers[1:])
        case.sinks[sink] = self._terms(sink, case, len(effects), consume, len(makers))
        case.sinks[sink].origins = origins

    def _guess(self, sink: int, case: Case, effects: list[Effect], truth: Truth) -> None:
        """A sink whose lines name no positions: only numbers can be compared."""
        reads = self.topology.sinks[sink].reads
        readable = sorted((x for x in case.lineages if set(reads) & set(x.copies)), key=lambda x: x.height)
        if not readable:
            return
        consume = max(0, len(effects) - len(readable))
        truth.floating[sink, case.key, case.sources[0].where] += consume
        terms = self._terms(sink, case, len(effects), consume, min(len(effects), len(readable)))
        terms.origins.update(lineage.maker for lineage in readable[1 : len(effects)])
        terms.origins["consume"] += consume
        case.sinks[sink] = terms

    def _terms(self, sink: int, case: Case, effects: int, consume: int, acted: int) -> SinkTerms:
        reads = self.topology.sinks[sink].reads
        readable = [x for x in case.lineages if set(reads) & set(x.copies)]
        path = self.topology.seen_by(sink)
        sources = [copy for copy in case.sources if copy.where.log in path]
        produce = len(sources) - 1
        mirrors = [log for log in path if log in self.topology.mirrors]
        if len(reads) == 1 and reads[0] in mirrors:
            mirror = sum(len(case.excess[log]) for log in mirrors)
            missing = sum(len(case.deficit[log]) for log in mirrors)
        else:
            mirror = sum(1 for x in readable if x.maker == "mirror")
            missing = len(sources) - sum(1 for x in readable if x.maker != "mirror")
        return SinkTerms(effects, len(readable), produce, mirror, missing, len(readable) - acted, consume)

    # losses

    def _overtaken(self, truth: Truth, copies: list[Copy]) -> None:
        """Upstream copies in deficit with a later copy of their partition that arrived by tag."""
        for mirror in self.topology.mirrors:
            upstream, *others = self.topology.logs[mirror].upstream
            if others:
                continue
            reached = self._reached(mirror, upstream, copies)
            for case in truth.cases:
                for copy in case.deficit[mirror]:
                    if copy.where.offset < reached.get(copy.where.partition, -1):
                        truth.missing.add((mirror, copy.where))

    def _reached(self, mirror: int, upstream: int, copies: list[Copy]) -> dict[int, int]:
        """By partition: the largest offset of a copy that arrived by tag in the same partition number.

        Of several upstream copies with one tag in one partition the first counts.
        """
        arrived = {(c.key, self.tag(c, mirror), c.where.partition) for c in copies if c.where.log == mirror}
        firsts: dict[tuple[int, tuple[int, int, int], int], Copy] = {}
        for copy in sorted((c for c in copies if c.where.log == upstream), key=lambda c: c.order):
            firsts.setdefault((copy.key, self.tag(copy, mirror), copy.where.partition), copy)
        reached: dict[int, int] = {}
        for label, copy in firsts.items():
            if label in arrived:
                partition, offset = copy.where[1:]
                reached[partition] = max(reached.get(partition, -1), offset)
        return reached


def _apart(one: Copy, other: Copy) -> int:
    return abs(one.timestamp - other.timestamp)


def _distinct(effects: list[Effect]) -> list[Effect]:
    """One line of each effect; a line without an id stands for itself."""
    seen: set[int] = set()
    kept = []
    for effect in effects:
        if not effect.effect_id or effect.effect_id not in seen:
            kept.append(effect)
        seen.add(effect.effect_id)
    return kept
