"""From a verdict to findings and counts: only what was not concluded before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.consume import Repeat, SinkJudgement
from dupscope.ledger.judge import Verdict, WindowVerdict, lacks_effect, overtaken
from dupscope.ledger.lineage import Lineage
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.view import VALUE_MASK, View
from dupscope.model.finding import Finding, Kind, Origin, Reason, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import offset_of, slot_of
from dupscope.model.replay import REDRIVE


@dataclass(frozen=True, slots=True)
class Concluder:
    """Writes one judgement of one case into it and into the cycle's outcome."""

    view: View
    outcome: Outcome
    now_ms: int

    def conclude(self, case: Case, verdict: Verdict) -> None:
        """Take over a verdict. Whatever was concluded before stays as it is."""
        for copy, reason in verdict.lost_copies:
            self.lose_copy(copy, reason)
        for effect, reason in verdict.lost_effects:
            self.lose_effect(effect, reason)
        for part in verdict.windows:
            self._produce(case, part)
            for mirror in self.view.topology.mirrors:
                self._mirror(case, mirror, part)
            for sink, judged in part.sinks.items():
                self._sink(case, sink, judged, part)
        case.suspects = verdict.suspects

    def lose_copy(self, copy: Copy, reason: Reason) -> None:
        """Close a copy unjudged."""
        if copy.unverified is None:
            copy.unverified = reason
            layer, stage = self._stage(copy.log)
            self.outcome.unverified[layer, stage, reason] += 1

    def lose_effect(self, effect: Effect, reason: Reason) -> None:
        """Close an effect unjudged."""
        if effect.unverified is None:
            effect.unverified = reason
            self.outcome.unverified[Layer.CONSUME, self.view.topology.sinks[effect.sink].name, reason] += 1

    def _produce(self, case: Case, part: WindowVerdict) -> None:
        original, *further = part.window.sources
        for copy in further:
            if not copy.reported:
                copy.reported = True
                if not self._meant(copy):
                    kind = _kind({original.content & VALUE_MASK}, copy)
                    gap = (copy.timestamp - original.timestamp) / 1000
                    self._find(case, copy, original, kind, gap)

    def _meant(self, copy: Copy) -> bool:
        """Whether a duplicate is an intended replay; counts it as one."""
        layer, stage = self._stage(copy.log)
        reason = REDRIVE if copy.redriven else self.view.declared(stage, copy.timestamp)
        if reason is not None:
            copy.intended = reason
            self.outcome.intended[layer, stage, reason] += 1
        return reason is not None

    def _mirror(self, case: Case, mirror: int, part: WindowVerdict) -> None:
        judged = part.mirrors[mirror]
        payloads = {copy.content & VALUE_MASK for copy in part.window.above(mirror, self.view)}
        for copy in judged.excess:
            if copy.excess:
                continue
            doubt = Reason.HOT_KEY if case.hot else judged.doubt
            if doubt is not None:
                self.lose_copy(copy, doubt)
                continue
            copy.excess = copy.reported = True
            if not self._meant(copy):
                self._find(case, copy, _twin(copy, mirror, part), _kind(payloads, copy), None)
        if not case.hot:
            self._missing(mirror, part)

    def _missing(self, mirror: int, part: WindowVerdict) -> None:
        judged, bit, stage = part.mirrors[mirror], 1 << mirror, self.view.topology.logs[mirror].name
        for copy in judged.deficit:
            if not copy.missing & bit and overtaken(copy, mirror, part, self.view):
                copy.missing |= bit
                self.outcome.missing[stage] += 1
        delivered = {x.above(mirror, self.view) for x in part.lineages if mirror in x.copies}
        for copy in part.window.above(mirror, self.view):
            if copy.missing & bit and not copy.recovered & bit and copy in delivered:
                copy.recovered |= bit
                self.outcome.recovered[stage] += 1

    def _sink(self, case: Case, sink: int, judged: SinkJudgement, part: WindowVerdict) -> None:
        if case.hot:
            for effect in judged.natural:
                self.lose_effect(effect, Reason.HOT_KEY)
            return
        for effect in judged.effects if judged.floating else ():
            effect.home = effect.home or part.window.sources[0]
        for repeat in judged.repeats:
            self._repeat(case, sink, repeat, part)
        self._extra_effects(sink, judged)
        self._extra_copies(sink, judged, part)
        self._lacking(case, sink, judged, part)

    def _repeat(self, case: Case, sink: int, repeat: Repeat, part: WindowVerdict) -> None:
        view = self.view
        if repeat.effect.duplicate:
            return
        repeat.effect.duplicate = True
        if repeat.effect.position != repeat.first_effect.position:
            _pin(repeat.lineage, view)
        first = repeat.lineage.first(sorted(view.topology.sinks[sink].reads)) or part.window.sources[0]
        where = view.partitions.position(first.position)
        stage = view.topology.sinks[sink].name
        identity = finding_id(view.topology.pipeline, stage, where, repeat.ordinal)
        if identity in case.reported:
            return
        case.reported.add(identity)
        repeat.effect.intended = view.declared(stage, repeat.effect.at)
        if repeat.effect.intended is not None:
            self.outcome.intended[Layer.CONSUME, stage, repeat.effect.intended] += 1
            return
        acted_on = repeat.effect.position or first.position
        self.outcome.findings.append(
            Finding(
                id=identity,
                pipeline=view.topology.pipeline,
                layer=Layer.CONSUME,
                stage=stage,
                topic=view.partitions[slot_of(first.position)].logical_topic,
                kind=Kind.IDENTICAL,
                position=view.partitions.position(acted_on),
                first=where,
                fingerprint=case.fingerprint,
                detected_at=self.now_ms / 1000,
                timestamp=repeat.effect.at / 1000,
                gap_seconds=_gap(repeat),
                ordinal=repeat.ordinal,
            )
        )
        self._delay(Layer.CONSUME, stage, repeat.effect.at)

    def _extra_effects(self, sink: int, judged: SinkJudgement) -> None:
        """Give each new extra effect an origin: its own where that is still open, else what is."""
        stage = self.view.topology.sinks[sink].name
        given = Counter(effect.origin for effect in judged.effects if effect.origin is not None)
        open_ = Counter({origin: n - given[origin] for origin, n in judged.origins.items()})
        left = judged.origins.total() - given.total()
        free = [effect for effect in judged.effects if effect.origin is None]
        free.sort(key=lambda effect: effect not in judged.natural)
        for effect in free[: max(left, 0)]:
            wish = judged.natural.get(effect)
            if wish is None or open_[wish] <= 0:
                wish = next(origin for origin in Origin if open_[origin] > 0)
            effect.origin = wish
            open_[wish] -= 1
            self.outcome.extra_effects[stage, wish] += 1

    def _extra_copies(self, sink: int, judged: SinkJudgement, part: WindowVerdict) -> None:
        passed = sum(1 for lineage in judged.readable if lineage.trusted and self._passed(sink, lineage))
        counted = sum((copy.counted or {}).get(sink, 0) for copy in part.window.sources)
        if passed - 1 > counted:
            original = part.window.sources[0]
            original.counted = original.counted or {}
            original.counted[sink] = original.counted.get(sink, 0) + passed - 1 - counted
            self.outcome.extra_copies[self.view.topology.sinks[sink].name] += passed - 1 - counted

    def _lacking(self, case: Case, sink: int, judged: SinkJudgement, part: WindowVerdict) -> None:
        """Count a case that lacks its effect; cases that have become one lack one effect."""
        stage = self.view.topology.sinks[sink].name
        counted = [copy for copy in part.window.sources if sink in copy.lacking]
        for copy in counted if judged.effects else counted[1:]:
            copy.lacking -= {sink}
            self.outcome.recovered[stage] += 1
        if not counted and lacks_effect(case, sink, part, self.view):
            part.window.sources[0].lacking |= {sink}
            self.outcome.missing[stage] += 1

    def _passed(self, sink: int, lineage: Lineage) -> bool:
        past = self.view.gone_past[sink]
        return any(
            offset_of(copy.position) < past[slot_of(copy.position)]
            for log, copy in lineage.copies.items()
            if log in self.view.topology.sinks[sink].reads
        )

    def _find(self, case: Case, copy: Copy, first: Copy | None, kind: Kind, gap: float | None) -> None:
        view = self.view
        layer, stage = self._stage(copy.log)
        where = view.partitions.position(copy.position)
        self.outcome.findings.append(
            Finding(
                id=finding_id(view.topology.pipeline, stage, where),
                pipeline=view.topology.pipeline,
                layer=layer,
                stage=stage,
                topic=view.partitions[slot_of(copy.position)].logical_topic,
                kind=kind,
                position=where,
                first=view.partitions.position(first.position) if first else None,
                fingerprint=case.fingerprint,
                detected_at=self.now_ms / 1000,
                timestamp=copy.timestamp / 1000,
                gap_seconds=gap,
            )
        )
        self._delay(layer, stage, copy.timestamp)

    def _stage(self, log: int) -> tuple[Layer, str]:
        topology = self.view.topology
        return topology.layer(log), topology.logs[log].name

    def _delay(self, layer: Layer, stage: str, timestamp_ms: int) -> None:
        if timestamp_ms:
            delay = max(0.0, (self.now_ms - timestamp_ms) / 1000)
            self.outcome.delays_seconds.append((layer, stage, delay))


def _gap(repeat: Repeat) -> float | None:
    """Seconds between two effects; None where a line names no time."""
    if not repeat.effect.at or not repeat.first_effect.at:
        return None
    return (repeat.effect.at - repeat.first_effect.at) / 1000


def _pin(lineage: Lineage, view: View) -> None:
    """Keep the pairs of a lineage: its effects lie at more than one of its copies."""
    for log, copy in lineage.copies.items():
        copy.twin = lineage.above(log, view) or copy.twin


def _kind(payloads: set[int], copy: Copy) -> Kind:
    return Kind.IDENTICAL if copy.content & VALUE_MASK in payloads else Kind.CONFLICTING


def _twin(copy: Copy, mirror: int, part: WindowVerdict) -> Copy | None:
    """The copy in the same log that an extra one repeats: of the same content, else the first."""
    others = [
        lineage.copies[mirror]
        for lineage in part.lineages
        if mirror in lineage.copies and lineage.copies[mirror] is not copy
    ]
    same = [other for other in others if other.content == copy.content]
    return next(iter(same or others), None)
