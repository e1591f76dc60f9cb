"""The logs of a pipeline once more: from where the detector began, with clients of our own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from dupscope.app.saved import SavedPipeline
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.forensics.comparison import Extent
from dupscope.forensics.sample import Sample
from dupscope.kafka.columns import Decoder
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.model.batch import Bools, RecordBatch
from dupscope.model.position import OFFSET_BITS, OFFSET_MASK, PartitionTable

RECORDS_AT_ONCE = 50_000
READ_SECONDS = 0.5
STALLED_SECONDS = 60.0

Told = Callable[[int, int], None]
"""Is told how many offsets were passed, and how many there are."""

Slots = dict[int, int]
"""Offsets by partition slot."""


class LogsAgain:
    """Reads what a detector had read at a commit, and on to the ends of the logs.

    The table numbers partitions as the detector does. Changes nothing: no group is joined, nothing committed.
    Every method may block, and raises ClusterError when a cluster does not give what is asked.
    """

    def __init__(
        self, config: Config, settings: PipelineSettings, saved: SavedPipeline, fingerprinter: Fingerprinter
    ) -> None:
        self._settings = settings
        self._topology = settings.topology
        self._saved = saved
        self._committed = {slot: at for tail in saved.tails.values() for slot, at in tail.positions.items()}
        self.table = PartitionTable()
        for partition in saved.partitions:
            self.table.slot(partition)
        reads = [_tail_settings(config, settings, log) for log in range(len(self._topology.logs))]
        self._tails = [
            Tail(each, self.table, Decoder(each.log, fingerprinter, each.redrive)) for each in reads
        ]
        self._ends = {name: EndOffsets(each) for name, each in config.clusters.items()}
        self._with_records: set[int] = set()
        self.ends: Slots = {}

    def open(self) -> None:
        """Take the ends of all logs, most downstream first, and stand at their beginnings.

        What lies below a mirror's end has its upstream copies below the end of the log above.
        """
        found = self._high_watermarks()
        for log, tail in enumerate(self._tails):
            tail.open(_beginning(self._saved.tails[log]))
            tail.watch_starts()
        self.ends = self._by_slot(found)

    def take_ends(self) -> None:
        """Take the ends once more."""
        self.ends = self._by_slot(self._high_watermarks())

    def read(self, sample: Sample, told: Told) -> None:
        """Read everything, first what the detector had read, and settle the sample."""
        begun = {slot: begin.offset for tail in self._tails for slot, begin in tail.beginnings.items()}
        total = sum(max(0, end - begun.get(slot, 0)) for slot, end in self.ends.items())

        def passed() -> None:
            at = {slot: offset for tail in self._tails for slot, offset in tail.positions.items()}
            told(sum(max(0, offset - begun.get(slot, 0)) for slot, offset in at.items()), total)

        for log in self._topology.downstream_first():
            self._read_to(log, self._committed, sample, passed)
        sample.settle()
        for log in self._topology.downstream_first():
            self._read_to(log, self.ends, sample, passed)

    def resolve(self, sink: int, cluster: str | None, topic: str, number: int) -> tuple[int, str] | None:
        """The partition slot and the logical topic of a position in a log that a sink reads, else None.

        Raises InvalidLineError where several clusters have the topic and the line does not say which.
        """
        logs = [
            log
            for log in self._topology.sinks[sink].reads
            if cluster in {None, self._topology.logs[log].cluster}
        ]
        siblings = [slot for log in logs if (slot := self.table.find(log, topic, 0)) is not None]
        if len(siblings) > 1:
            raise InvalidLineError(InvalidReason.AMBIGUOUS_CLUSTER)
        if not siblings:
            return None
        slot = self.table.find(self.table[siblings[0]].log, topic, number)
        logical = self.table[siblings[0]].logical_topic
        return (len(self.table) if slot is None else slot), logical

    def is_past_ends(self, saved: SavedPipeline) -> bool:
        """Whether a detector has read all that there was when the ends were last taken.

        Partitions that it has met since are left aside: it may number them otherwise.
        """
        positions = {slot: at for tail in saved.tails.values() for slot, at in tail.positions.items()}
        over = {slot for tail in saved.tails.values() for slot in tail.retired}
        known = (slot for slot in self.ends if slot < len(self._saved.partitions) and slot not in over)
        return all(positions.get(slot, -1) >= self.ends[slot] for slot in known)

    def extent(self, unread_sinks: frozenset[str]) -> Extent:
        """What of it all can be compared, once it was read."""
        begun: Slots = {}
        covered: dict[str, int] = {}
        compacted = set()
        for log, tail in enumerate(self._tails):
            state = self._saved.tails[log]
            for slot, beginning in tail.beginnings.items():
                topic = self.table[slot].logical_topic
                since = beginning.covered_since_ms or 0
                if slot not in self._with_records and beginning != state.beginnings.get(slot):
                    since = state.newest_ms.get(slot, since)
                covered[topic] = max(covered.get(topic, 0), since)
                if slot in tail.positions:
                    begun[slot] = beginning.offset
            slots = (state.compacted | tail.compacted) & tail.positions.keys()
            compacted |= {self.table[slot].logical_topic for slot in slots}
        over = {slot for tail in self._saved.tails.values() for slot in tail.retired}
        unread = {slot: 0 for slot in range(len(self.table)) if slot not in over}
        return Extent(unread | self._committed, begun, covered, compacted, unread_sinks)

    def close(self) -> None:
        """Give up all connections."""
        with ExitStack() as stack:
            for tail in self._tails:
                stack.callback(tail.close)
            for ends in self._ends.values():
                stack.callback(ends.close)

    # ------------------------------------------------------------------ reading

    def _high_watermarks(self) -> dict[int, Mapping[tuple[str, int], int]]:
        return {
            log: self._ends[self._topology.logs[log].cluster]
            .high_watermarks(self._settings.topics[log])
            .offsets
            for log in self._topology.downstream_first()
        }

    def _by_slot(self, found: Mapping[int, Mapping[tuple[str, int], int]]) -> Slots:
        slots = (
            (self.table.find(log, topic, number), end)
            for log, offsets in found.items()
            for (topic, number), end in offsets.items()
        )
        return {slot: end for slot, end in slots if slot is not None}

    def _read_to(self, log: int, goal: Slots, sample: Sample, passed: Callable[[], None]) -> None:
        """Read a log until every partition is at its goal, or at the end that a reader can see."""
        tail = self._tails[log]
        moved_at, before = time.monotonic(), dict(tail.positions)
        errors: dict[str, int] = {}
        while self._is_short(tail, goal):
            read = tail.read(RECORDS_AT_ONCE, READ_SECONDS)
            errors |= read.errors
            if len(read.batch):
                self._with_records.update(np.unique(_slots(read.batch)).tolist())
                sample.records(read.batch, self._is_new(read.batch))
            if tail.positions != before:
                moved_at, before = time.monotonic(), dict(tail.positions)
            elif time.monotonic() - moved_at > STALLED_SECONDS:
                raise BrokersUnreachableError(_stalled(self._topology.title(log), errors))
            passed()

    def _is_short(self, tail: Tail, goal: Slots) -> bool:
        ends = tail.at_end
        return any(slot not in ends and at < goal.get(slot, 0) for slot, at in tail.positions.items())

    def _is_new(self, batch: RecordBatch) -> Bools:
        """Which records the detector had not read at the commit."""
        committed = np.zeros(len(self.table), np.int64)
        committed[list(self._committed)] = list(self._committed.values())
        offsets = (batch.position & np.uint64(OFFSET_MASK)).astype(np.int64) - 1
        return np.asarray(offsets >= committed[_slots(batch)])


def _slots(batch: RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return (batch.position >> np.uint64(OFFSET_BITS)).astype(np.int64)


def _beginning(saved: TailState) -> TailState:
    """The state of a tail that has read nothing yet of what another one has read."""
    begun = {slot: saved.beginnings[slot].offset for slot in saved.positions if slot in saved.beginnings}
    return replace(
        saved,
        positions=dict.fromkeys(saved.positions, 0) | begun,
        newest_ms={},
        gap_starts={},
        holes=(),
        was_opened=True,
    )


def _tail_settings(config: Config, settings: PipelineSettings, log: int) -> TailSettings:
    topology = settings.topology
    return TailSettings(
        config.clusters[topology.logs[log].cluster],
        log,
        settings.topics[log],
        max_records_per_second=config.limits.fetch_rate,
        redrive=settings.redrive if topology.is_source(log) else RedriveMarks(),
    )


def _stalled(title: str, errors: Mapping[str, int]) -> str:
    told = f" ({', '.join(sorted(errors))})" if errors else ""
    return f"{title}: nothing more could be read for {STALLED_SECONDS:.0f} s{told}"
