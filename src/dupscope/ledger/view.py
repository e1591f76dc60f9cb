"""What a judgement may rest on besides the case itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dupscope.ledger.case import Copy
from dupscope.ledger.gaps import Gaps
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import I64
from dupscope.model.finding import Reason
from dupscope.model.position import PartitionTable, offset_of, slot_of
from dupscope.model.replay import Replay
from dupscope.model.topology import TagParts, Topology

KEY_MASK = 0xFFFFFFFF00000000
VALUE_MASK = 0x00000000FFFFFFFF


def content_mask(parts: TagParts) -> int:
    """The bits of `content` that a mirror with these tag parts preserves."""
    return (KEY_MASK if parts.key else 0) | (VALUE_MASK if parts.value else 0)


@dataclass(frozen=True, slots=True)
class View:
    """The state of reading at one moment. Arrays are indexed by partition slot.

    covered_since    per log, in ms; None: covered from the beginning
    covered_topics   by log and logical topic, where that differs
    judged_until     per log: copies below these offsets were read before a barrier that has passed
    effects_through  per sink: effects of cycles up to this one may be judged
    frontier         per log: upstream copies below these offsets were overtaken, see `Missing`
    gone_past        per sink: offsets below these will not be acted on for the first time any more
    truncated        (mirror's log, logical topic) where records vanish
    gaps             spans of compacted logs whose records were gone before they could be read
    replays          declared ones
    settled          per sink of which effects are expected, else empty: see `Progress`
    settled_from     likewise
    lost             per such sink, by slot: of copies below, an effect may have been given up
    expected_after   after which time of the source copy effects of a sink are expected
    edge             in ms: what is older is forgotten, or about to be
    awaits           whether an effect of a sink and key waits for its record
    lost_effect      says why an effect has no copy, from its packed position
    """

    topology: Topology
    settings: LedgerSettings
    partitions: PartitionTable
    covered_since: tuple[int | None, ...]
    judged_until: tuple[I64, ...]
    effects_through: tuple[int, ...]
    frontier: tuple[I64, ...]
    gone_past: tuple[I64, ...]
    truncated: frozenset[tuple[int, str]]
    lost_effect: Callable[[int], Reason]
    gaps: Gaps = field(default_factory=Gaps)
    replays: tuple[Replay, ...] = ()
    covered_topics: Mapping[tuple[int, str], int | None] = field(default_factory=dict)
    settled: tuple[I64, ...] = ()
    settled_from: tuple[I64, ...] = ()
    edge: int = 0
    lost: Mapping[int, I64] = field(default_factory=dict)
    expected_after: Callable[[int], int] = lambda _sink: -1
    awaits: Callable[[int, int, int], bool] = lambda _sink, _fp_hi, _fp_lo: False

    def order(self, copy: Copy) -> tuple[int, int, int, str, str]:
        """The place of a copy in the order of the logs."""
        partition = self.partitions[slot_of(copy.position)]
        return (
            copy.timestamp,
            partition.number,
            offset_of(copy.position),
            partition.cluster_id,
            partition.topic_id,
        )

    def place(self, copy: Copy) -> tuple[int, int, str, str]:
        """As `order`, without the time."""
        return self.order(copy)[1:]

    def number(self, copy: Copy) -> int:
        """The partition number of a copy."""
        return self.partitions[slot_of(copy.position)].number

    def declared(self, stage: str, timestamp_ms: int) -> str | None:
        """The reason of the declared replay that a duplicate belongs to, None if it belongs to none."""
        covering = (replay.reason for replay in self.replays if replay.covers(stage, timestamp_ms))
        return next(covering, None)

    def is_truncated(self, copy: Copy, mirror: int) -> bool:
        """Whether a mirror may have lost its copy of this one by itself."""
        return (mirror, self.partitions[slot_of(copy.position)].logical_topic) in self.truncated

    def may_be_compacted(self, copy: Copy, mirror: int) -> bool:
        """Whether the upstream copy of a mirror's copy may have lain where compaction left a gap."""
        topic = self.partitions[slot_of(copy.position)].logical_topic
        timed = self.topology.logs[mirror].tag.timestamp
        return any(
            self.gaps.may_have_held(log, topic, copy.timestamp if timed else None)
            for log in self.topology.logs[mirror].upstream
        )

    def admitted(self, copy: Copy) -> bool:
        """Whether a mirror's copy may be judged: a barrier taken after it was read has passed."""
        return offset_of(copy.position) < int(self.judged_until[copy.log][slot_of(copy.position)])

    def covered(self, log: int, like: Copy) -> int | None:
        """Since when a log is covered for copies of one topic; None: from the beginning."""
        topic = self.partitions[slot_of(like.position)].logical_topic
        return self.covered_topics.get((log, topic), self.covered_since[log])

    def covered_by(self, sink: int, topic: str) -> int | None:
        """Since when all logs that a sink's records come through are covered for a logical topic."""
        logs = self.topology.seen_by(sink)
        starts = [self.covered_topics.get((log, topic), self.covered_since[log]) for log in logs]
        return max((start for start in starts if start is not None), default=None)

    def expects(self, sink: int) -> bool:
        """Whether effects of a sink are expected, and something is known of what it went past."""
        return sink < len(self.settled) and len(self.settled[sink]) > 0

    def may_be_lost(self, sink: int, copy: Copy) -> bool:
        """Whether an effect on a copy may have been given up unjudged."""
        return offset_of(copy.position) < int(self.lost[sink][slot_of(copy.position)])

    def is_settled(self, sink: int, copy: Copy) -> bool:
        """Whether a sink went past a copy while it was watched, and all that it did by then is known."""
        slot, offset = slot_of(copy.position), offset_of(copy.position)
        partition = self.partitions[slot]
        if (partition.log, partition.logical_topic) in self.truncated:
            return False
        return int(self.settled_from[sink][slot]) <= offset < int(self.settled[sink][slot])

    def covered_above(self, log: int, like: Copy) -> int | None:
        """The latest coverage start of all logs above a mirror; None: all from the beginning."""
        starts = [self.covered(above, like) for above in self.topology.above(log)]
        known = [start for start in starts if start is not None]
        return max(known, default=None)

    def tag(self, copy: Copy, mirror: int) -> tuple[int, int]:
        """What `mirror` preserves of a copy, for comparison."""
        parts = self.topology.logs[mirror].tag
        return copy.timestamp if parts.timestamp else 0, copy.content & content_mask(parts)
