"""Some topics, record by record, for a loop that waits elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dupscope.kafka.client import ClientLog, silent
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.kafka.errors import OFFSET_OUT_OF_RANGE, BrokersUnreachableError, TopicMissingError
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.raw import RawDecoder, RawRecord
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Start
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.model.batch import TailRead
from dupscope.model.errors import ClusterError
from dupscope.model.plain import Plain
from dupscope.model.position import Partition, PartitionTable

OPEN_AGAIN_SECONDS = 1.0
"""How often topics that could not be opened are looked for."""

LOOK_AGAIN_SECONDS = 5.0
"""How often open ones are looked at: partitions that were added, topics created anew, log starts."""

SLOW_SECONDS = 1.0
REST_SECONDS = 3.0
"""A cluster that took longer for an answer, or gave none, is left alone for this long."""

END_AGAIN_SECONDS = 1.0
GONE_SECONDS = 10.0
"""A topic that is away for this long was deleted."""


@dataclass(frozen=True, slots=True)
class RawRead:
    """Records in the order of each partition, and the places of such that can never be read, for a person."""

    records: list[RawRecord] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ends:
    """High watermarks by slot, and when they were asked for, in ms since 1970."""

    offsets: dict[int, int]
    asked_ms: int


class RawTail:
    """Reads committed records of some topics. For one thread.

    Never raises for what a cluster does: `problem` says it. `read` waits for no record; it asks the cluster
    now and then, which takes as long as one answer takes, or `ClusterSettings.timeout_seconds` where there
    is none: then the cluster is left alone for a while. Nothing is asked before the first read.
    """

    def __init__(
        self,
        cluster: ClusterSettings,
        topics: TopicSelection,
        start: Start | None = None,
        clock: Clock = SYSTEM_CLOCK,
        log: ClientLog = silent,
    ) -> None:
        self.table = PartitionTable()
        self.complete_ms: int | None = None
        """All that was written before this moment (ms since 1970) was returned by reads; None: not known."""
        self.problem: str | None = None
        """Why the topics cannot be read now, in words for a person."""
        self.is_held = False
        """An open transaction keeps later records from being read, for a while already."""
        self._topics = topics
        self._clock = clock
        self._decoder = RawDecoder()
        settings = TailSettings(cluster, 0, topics, start or Start())
        self._tail = Tail(settings, self.table, self._decoder, log, clock)
        self._end_offsets = EndOffsets(cluster, log)
        self._ends: _Ends | None = None
        self._is_open = False
        self._look_at = self._rest_until = self._ends_at = float("-inf")
        self._gone: dict[str, float] = {}
        self._passed: dict[int, int] = {}

    # ------------------------------------------------------------------ reading

    def read(self, max_records: int) -> RawRead:
        """What is there, at most so many records. Nothing while the cluster is away."""
        self._look_after()
        if not self._is_open or self._is_resting:
            return RawRead()
        began = self._clock.monotonic()
        read = self._tail.read(max_records, 0.0)
        if self._clock.monotonic() - began >= SLOW_SECONDS:
            self._rest()
        self._note(read)
        records = self._decoder.taken(read.batch)
        lost = self._lost(read, records)
        self._passed = self._tail.positions
        self._see_end(is_all=len(records) < max_records)
        return RawRead(records, lost)

    def ends(self) -> dict[int, int] | None:
        """Where committed records end now, by slot; None where that cannot be told."""
        self._look_after()
        found: dict[int, int] | None = None
        if self._is_open and not self._is_resting:
            with self._asking():
                found = self._tail.ends()
        return found

    def has_passed(self, ends: dict[int, int]) -> bool:
        """Whether all below some ends was read, or is lost."""
        positions = self._tail.positions
        return all(positions.get(slot, end) >= end for slot, end in ends.items())

    def place(self, slot: int, offset: int) -> str:
        """What a person calls a position."""
        partition = self.table[slot]
        return f"{partition.topic}[{partition.number}] offset {offset}"

    def saved(self) -> Plain:
        """Where reading stands, as plain values."""
        partitions = [
            [each.cluster_id, each.topic_id, each.topic, each.logical_topic, each.number]
            for each in self.table.partitions
        ]
        return {"partitions": partitions, "tail": self._tail.state.tree()}

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on there. Before the first read."""
        for partition in saved["partitions"]:
            self.table.slot(Partition(0, *partition))
        self._tail.resume(TailState.from_tree(saved["tail"]))
        self._passed = self._tail.positions

    def close(self) -> None:
        """Give up all connections."""
        self._tail.close()
        self._end_offsets.close()

    # ------------------------------------------------------------------ asking

    @property
    def _is_resting(self) -> bool:
        return self._clock.monotonic() < self._rest_until

    def _rest(self) -> None:
        self._rest_until = self._clock.monotonic() + REST_SECONDS

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Around every question: what it raises becomes the problem, and a slow answer a rest."""
        began = self._clock.monotonic()
        try:
            yield
        except ClusterError as error:
            self._have_problem(str(error))
            if isinstance(error, BrokersUnreachableError):
                self._rest()
        if self._clock.monotonic() - began >= SLOW_SECONDS:
            self._rest()

    def _have_problem(self, text: str) -> None:
        self.problem = text
        self._look_at = min(self._look_at, self._clock.monotonic() + OPEN_AGAIN_SECONDS)

    def _look_after(self) -> None:
        """Open the topics, or see what has become of them, once in a while."""
        now = self._clock.monotonic()
        if now < self._look_at or self._is_resting:
            return
        self._look_at = now + OPEN_AGAIN_SECONDS
        with self._asking():
            self._see_topics()
            self._tail.open()
            self._is_open, self.problem = True, None
            self._look_at = now + LOOK_AGAIN_SECONDS
            self._tail.watch_starts()

    def _see_topics(self) -> None:
        """Give up topics that have been away for a while: what was not read of them is lost."""
        now = self._clock.monotonic()
        gone = {topic for topic in self._tail.topics if self._is_gone(topic)}
        self._gone = {topic: self._gone.get(topic, now) for topic in gone}
        late = [topic for topic, since in self._gone.items() if now - since >= GONE_SECONDS]
        if late:
            self._tail.retire_topics(late)

    def _is_gone(self, topic: str) -> bool:
        try:
            self._end_offsets.of_topics([topic])
        except TopicMissingError:
            return True
        return False

    def _note(self, read: TailRead) -> None:
        """Errors of a read are the problem until the topics were looked at once more."""
        errors = [reason for reason in read.errors if reason != OFFSET_OUT_OF_RANGE]
        if errors:
            self._have_problem(f"cannot be read: {', '.join(sorted(errors))}")

    # ------------------------------------------------------------------ what is lost

    def _lost(self, read: TailRead, records: list[RawRecord]) -> list[str]:
        """Places of lost positions, and of what compaction has taken away."""
        gaps = [self._span(gap.slot, gap.first, gap.end) + ": compacted" for gap in read.gaps]
        return gaps + [f"{self._hole(slot, records)}: {why}" for slot, why in read.holes]

    def _hole(self, slot: int, records: list[RawRecord]) -> str:
        end = self._tail.beginnings[slot].offset
        read = [each.offset + 1 for each in records if each.slot == slot and each.offset < end]
        return self._span(slot, max(self._passed.get(slot, 0), *read, 0), end)

    def _span(self, slot: int, first: int, end: int) -> str:
        """Offsets from `first` up to, without, `end`; where that is nothing, it is not known how many."""
        partition = self.table[slot]
        what = f"offsets {first}..{end - 1}" if end > first else f"from offset {end} on"
        return f"{partition.topic}[{partition.number}] {what}"

    # ------------------------------------------------------------------ where it ends

    def _see_end(self, *, is_all: bool) -> None:
        """See whether the ends that were asked for are reached; ask anew where a read gave all there was.

        High watermarks are asked: behind an open transaction, the end that a reader of committed records can
        see is no end.
        """
        now = self._clock.monotonic()
        if self._ends is not None and self.has_passed(self._ends.offsets):
            self.complete_ms, self.is_held, self._ends = self._ends.asked_ms, False, None
        age = END_AGAIN_SECONDS if self._ends is None else LOOK_AGAIN_SECONDS
        if is_all and now - self._ends_at >= age:
            self.is_held = self._ends is not None
            self._ends_at = now
            self._ends = self._asked_ends()

    def _asked_ends(self) -> _Ends | None:
        asked_ms = self._clock.now_ms()
        with self._asking():
            found = self._end_offsets.high_watermarks(self._topics)
            slots, ids = self._tail.slots, self._tail.topic_ids
            is_known = found.offsets.keys() <= slots.keys()
            if is_known and (not self._tail.knows_ids or ids.items() <= found.ids.items()):
                return _Ends({slots[key]: end for key, end in found.offsets.items()}, asked_ms)
            self._look_at = self._clock.monotonic()
        return None
