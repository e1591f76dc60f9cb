"""What was found of some keys against what the oracle says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dupscope.forensics.comparison import Comparison, Extent, LeftOut, Missing, Stored
from dupscope.forensics.oracle import Duplicate, Oracle, Truth
from dupscope.forensics.sample import Fingerprint, Key, Sample
from dupscope.model.finding import Finding, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import OFFSET_BITS, Partition, Position, offset_of, pack, slot_of
from dupscope.model.replay import Replay
from dupscope.model.topology import Topology


@dataclass(slots=True)
class _Difference:
    """One key's: expected duplicates, those of them without a finding, and findings of no duplicate."""

    expected: int
    missing: list[Duplicate]
    false: list[Finding]


class Comparer:
    """Compares the keys of one pipeline."""

    def __init__(
        self,
        oracle: Oracle,
        partitions: Sequence[Partition],
        extent: Extent,
        replays: Sequence[Replay] = (),
    ) -> None:
        self._oracle = oracle
        self._topology: Topology = oracle.topology
        self._partitions = partitions
        self._extent = extent
        self._replays = replays
        self._slots = {
            (each.log, each.cluster_id, each.topic_id, each.topic, each.number): slot
            for slot, each in enumerate(partitions)
        }
        self._reads = {sink.name: sink.reads for sink in self._topology.sinks}
        self._logs = {**self._topology.stages, **self._reads}

    def compare(self, sample: Sample, stored: Stored) -> Comparison:
        """Judge every key of a sample, and every key that would be in it by its findings."""
        findings = self._by_key(sample, stored.findings)
        result, lacking = Comparison(), []
        for fingerprint in sample.keys.keys() | findings.keys():
            result.sampled += 1
            key = sample.keys.get(fingerprint, Key())
            outcome = self._outcome(key, findings.get(fingerprint, []), stored)
            if isinstance(outcome, LeftOut):
                result.left_out[outcome] += 1
            elif outcome.missing and not outcome.false:
                lacking.append(outcome)
            else:
                self._enter(outcome, result)
        if _may_be_unverified(lacking, stored):
            result.left_out[LeftOut.UNVERIFIED] += len(lacking)
        else:
            for each in lacking:
                self._enter(each, result)
        result.left_out = +result.left_out
        result.missing.sort(key=lambda one: (one.stage, str(one.position), one.ordinal or 0))
        result.false.sort(key=lambda one: (one.stage, str(one.position), one.ordinal or 0))
        return result

    def _by_key(self, sample: Sample, findings: Iterable[Finding]) -> dict[Fingerprint, list[Finding]]:
        """Findings of sampled keys. Those of stages that there are no more tell nothing."""
        chosen: dict[Fingerprint, list[Finding]] = {}
        for finding in findings:
            fingerprint = int(finding.fingerprint[:16], 16), int(finding.fingerprint[16:], 16)
            if finding.stage in self._logs and fingerprint in sample:
                chosen.setdefault(fingerprint, []).append(finding)
        return chosen

    def _outcome(self, key: Key, findings: list[Finding], stored: Stored) -> LeftOut | _Difference:
        reason = self._unreadable(key, findings)
        if reason is not None:
            return reason
        truth = self._oracle.judge(key.copies, key.effects)
        reason = self._unsure(key, findings, truth)
        if reason is not None:
            return reason
        difference = self._difference(truth, findings)
        return self._excuse(difference, truth, stored) or difference

    # ------------------------------------------------------------------ what cannot be compared

    def _unreadable(self, key: Key, findings: list[Finding]) -> LeftOut | None:
        """Why not all is there that the detector read of a key, and nothing else."""
        places = [place for finding in findings for place in self._places(finding)]
        if key.grows or any(self._is_later(place) for place in places if place is not None):
            return LeftOut.NOT_READ_YET
        if key.is_hot:
            return LeftOut.HOT_KEY
        if any(place is None or self._is_gone(place) for place in places):
            return LeftOut.GONE
        return LeftOut.COMPACTED if _topic(key, findings) in self._extent.compacted else None

    def _unsure(self, key: Key, findings: list[Finding], truth: Truth) -> LeftOut | None:
        """Why the detector may rightly say something else than complete lists."""
        begun = self._extent.covered_ms.get(_topic(key, findings), 0)
        if begun and min(_times(key, findings)) < begun + self._doubtful_ms(truth):
            return LeftOut.BEFORE_COVERAGE
        meant = any(
            replay.covers(duplicate.stage, duplicate.timestamp)
            for duplicate in truth.duplicates
            for replay in self._replays
        )
        return LeftOut.INTENDED if meant or any(copy.redriven for copy in key.copies) else None

    def _doubtful_ms(self, truth: Truth) -> int:
        """How long after the beginning of coverage something unread may still explain a copy."""
        untimed = any(not log.tag.timestamp for log in self._topology.logs)
        window = self._oracle.window_ms if truth.by_count or untimed else 0
        return self._oracle.margin_ms + window

    def _excuse(self, difference: _Difference, truth: Truth, stored: Stored) -> LeftOut | None:
        """Why a difference is no mistake."""
        if any(finding.id not in stored.then for finding in difference.false):
            return LeftOut.NOT_READ_YET
        if self._is_explained_later(difference, truth):
            return LeftOut.EXPLAINED_LATER
        times = [duplicate.timestamp for duplicate in difference.missing]
        if stored.kept_ms is not None and times and min(times) < stored.kept_ms:
            return LeftOut.FORGOTTEN
        return LeftOut.NOT_JUDGED_YET if times and not stored.is_settled else None

    def _is_explained_later(self, difference: _Difference, truth: Truth) -> bool:
        """Whether a copy that was appended upstream after the verdict accounts for the difference.

        It can make a mirror's copy a faithful one that was judged before, and it can move the pairs that the
        lineages of a sink of several logs, or without positions, rest on.
        """
        moved = [
            (finding.layer, finding.stage, [place for place in self._places(finding) if place is not None])
            for finding in difference.false
        ]
        moved += [
            (one.layer, one.stage, list(one.known_as))
            for one in difference.missing
            if one.layer is Layer.CONSUME
        ]
        return any(
            truth.crowded.intersection(places)
            and (layer is Layer.MIRROR or (layer is Layer.CONSUME and self._rests_on_pairs(stage, truth)))
            for layer, stage, places in moved
        )

    def _rests_on_pairs(self, stage: str, truth: Truth) -> bool:
        return truth.by_count or len(self._reads[stage]) > 1

    # ------------------------------------------------------------------ what differs

    def _difference(self, truth: Truth, findings: list[Finding]) -> _Difference:
        expected = [one for one in truth.duplicates if one.stage not in self._extent.unread_sinks]
        left = [one for one in findings if one.stage not in self._extent.unread_sinks]
        missing = []
        for duplicate in expected:
            match = next((one for one in left if self._is_of(one, duplicate)), None)
            if match is None:
                missing.append(duplicate)
            else:
                left.remove(match)
        return _Difference(len(expected), missing, left)

    def _is_of(self, finding: Finding, duplicate: Duplicate) -> bool:
        """Whether a finding is that of a duplicate. An effect's names the lineage by its first copy."""
        same = (finding.stage, finding.ordinal) == (duplicate.stage, duplicate.ordinal)
        return same and self._place(finding, _named(finding)) in duplicate.known_as

    def _enter(self, difference: _Difference, result: Comparison) -> None:
        result.compared += 1
        result.expected += difference.expected
        result.missing += map(self._missing, difference.missing)
        result.false += difference.false

    def _missing(self, duplicate: Duplicate) -> Missing:
        where = self._position(duplicate.known_as[0])
        name = finding_id(self._topology.pipeline, duplicate.stage, where, duplicate.ordinal)
        return Missing(name, duplicate.layer, duplicate.stage, where, duplicate.ordinal)

    # ------------------------------------------------------------------ positions

    def _places(self, finding: Finding) -> Iterator[int | None]:
        """The packed positions that a finding names; None where the detector does not know one any more."""
        yield self._place(finding, _named(finding))
        for other in (finding.position, finding.first):
            if other is not None and other != _named(finding):
                yield self._place(finding, other)

    def _place(self, finding: Finding, where: Position | None) -> int | None:
        if where is None:
            return None
        identity = where.cluster_id, where.topic_id, where.topic, where.partition
        found = (self._slots.get((log, *identity)) for log in self._logs[finding.stage])
        slot = next((slot for slot in found if slot is not None), None)
        return None if slot is None else pack(slot, where.offset)

    def _position(self, packed: int) -> Position:
        each = self._partitions[packed >> OFFSET_BITS]
        return Position(each.cluster_id, each.topic_id, each.topic, each.number, offset_of(packed))

    def _is_later(self, packed: int) -> bool:
        position = self._extent.positions.get(slot_of(packed))
        return position is not None and offset_of(packed) >= position

    def _is_gone(self, packed: int) -> bool:
        begun = self._extent.begun.get(slot_of(packed))
        return begun is None or offset_of(packed) < begun


def _may_be_unverified(lacking: list[_Difference], stored: Stored) -> bool:
    """Whether the detector counted enough for all that is missing to be among it."""
    effects = sum(one.layer is Layer.CONSUME for each in lacking for one in each.missing)
    records = sum(len(each.missing) for each in lacking) - effects
    return records <= stored.unverified and records + effects <= stored.unverified + stored.unplaced


def _named(finding: Finding) -> Position | None:
    """The position that makes a finding what it is."""
    return finding.first if finding.layer is Layer.CONSUME else finding.position


def _topic(key: Key, findings: list[Finding]) -> str:
    return key.topic or findings[0].topic


def _times(key: Key, findings: list[Finding]) -> Iterator[int]:
    """Timestamps of a key's records in milliseconds."""
    yield from (copy.timestamp for copy in key.copies)
    if not key.copies:
        yield from (int(finding.timestamp * 1000) for finding in findings)
