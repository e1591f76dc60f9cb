"""What a comparison of keys rests on, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from dupscope.model.finding import Finding
from dupscope.model.layer import Layer
from dupscope.model.position import Position


class LeftOut(StrEnum):
    """Why a key was not compared."""

    NOT_READ_YET = "not_read_yet"
    NOT_JUDGED_YET = "not_judged_yet"
    BEFORE_COVERAGE = "before_coverage"
    GONE = "gone"
    COMPACTED = "compacted"
    HOT_KEY = "hot_key"
    INTENDED = "intended"
    EXPLAINED_LATER = "explained_later"
    UNVERIFIED = "unverified"
    FORGOTTEN = "forgotten"


WHY: Mapping[LeftOut, str] = {
    LeftOut.NOT_READ_YET: "more of it was appended than the detector had read",
    LeftOut.NOT_JUDGED_YET: "a copy still waits for what lies above it to be read",
    LeftOut.BEFORE_COVERAGE: "a copy lies too near to where the detector's coverage begins",
    LeftOut.GONE: "the detector read records of it that Kafka does not hold any more",
    LeftOut.COMPACTED: "its topic is compacted: records may be gone",
    LeftOut.HOT_KEY: "it has more copies or effects than are judged",
    LeftOut.INTENDED: "a copy is an intended replay",
    LeftOut.EXPLAINED_LATER: "the verdict was right before more was appended upstream, and verdicts stay",
    LeftOut.UNVERIFIED: "the detector counted as many copies as unverified, intended or evicted",
    LeftOut.FORGOTTEN: "so old that its finding may have been dropped from the store",
}
"""In words for a person."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What was read by the detector up to a commit, and can be read again.

    positions     next offset of each partition slot at the commit
    begun         the first offset of each slot that was read again
    covered_ms    by logical topic: since when everything was read and is there still; 0: from the beginning
    compacted     logical topics of which records vanish
    unread_sinks  sinks whose audit log cannot be read again from its beginning
    """

    positions: Mapping[int, int]
    begun: Mapping[int, int]
    covered_ms: Mapping[str, int]
    compacted: AbstractSet[str] = frozenset()
    unread_sinks: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    """What the detector says.

    findings    all of the pipeline, also those made since the commit
    then        ids of those that were there at the commit
    kept_ms     older findings may have been dropped; None: none was
    unverified  how many copies and effects it counted as unverified for reasons that only it can know, as
                intended, or evicted
    unplaced    how many effects it counted as unverified since it knew no copy of the key at their position,
                or nothing upstream of it: there was none, or not then
    is_settled  whether it has surely judged all that it had read
    """

    findings: Sequence[Finding]
    then: AbstractSet[str]
    kept_ms: int | None = None
    unverified: int = 0
    unplaced: int = 0
    is_settled: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """A duplicate without a finding, and the id that it would have."""

    id: str
    layer: Layer
    stage: str
    position: Position
    ordinal: int | None


@dataclass(slots=True)
class Comparison:
    """What came of it. Findings are counted in keys that were compared."""

    sampled: int = 0
    compared: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    expected: int = 0
    missing: list[Missing] = field(default_factory=list)
    false: list[Finding] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many of the expected findings are there."""
        return self.expected - len(self.missing)

    @property
    def is_equal(self) -> bool:
        """Whether what was found is what is true."""
        return not self.missing and not self.false
