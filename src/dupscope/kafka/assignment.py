"""What of a log is read now, from which offsets on, and since when that covers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from dupscope.kafka.clock import Clock
from dupscope.kafka.columns import Columns
from dupscope.kafka.errors import LOG_START_MOVED, OFFSET_OUT_OF_RANGE
from dupscope.kafka.gaps import GapFinder
from dupscope.kafka.incarnations import Incarnations
from dupscope.kafka.progress import Progress
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.starts import Beginning, OffsetQuery, Start, beginnings
from dupscope.kafka.state import TailState
from dupscope.model.batch import Gap


class Assignment:
    """The slots that a client fetches, and how far each was passed. Methods that ask raise ClusterError."""

    def __init__(
        self,
        client: Callable[[], Consumer],
        settings: ClusterSettings,
        incarnations: Incarnations,
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._incarnations = incarnations
        self._clock = clock
        self._gaps = GapFinder()
        self.progress = Progress()
        self.lost: dict[int, int] = {}
        """Slots whose fetch failed, with the offset that the log did not hold as it was asked for."""
        self.holes: list[tuple[int, str]] = []
        self.beginnings: dict[int, Beginning] = {}

    # ------------------------------------------------------------------ taking up and giving up

    def begun(self, fresh: Iterable[int], recreated: set[str], start: Start) -> dict[int, Beginning]:
        """Where slots are to begin: at `start`, but those of topics that were created again at offset 0."""
        slots = {self._incarnations.key(slot): slot for slot in sorted(fresh)}
        begun = {slot: Beginning(0, None) for (topic, _), slot in slots.items() if topic in recreated}
        rest = [key for key, slot in slots.items() if slot not in begun]
        found = beginnings(self._query, start, rest, self._clock.now_ms)
        return begun | {slots[key]: beginning for key, beginning in found.items()}

    def resume(self, state: TailState) -> None:
        """Stand where an earlier assignment stood. Fetches nothing yet."""
        for slot, position in state.positions.items():
            self.progress.begin(slot, position)
            self._gaps.begin(slot, state.gap_starts.get(slot, position), state.newest_ms.get(slot, 0))
        self.beginnings |= state.beginnings
        self.holes += state.holes
        self._incarnations.retired |= state.retired

    def assign(self, offsets: Mapping[int, int], resumed: Collection[int] = ()) -> None:
        """Fetch slots that are not fetched yet: from offsets, and `resumed` from where they stand."""
        for slot, offset in offsets.items():
            self.progress.begin(slot, offset)
            self._gaps.begin(slot, offset)
        partitions = [
            TopicPartition(*self._incarnations.key(slot), self.progress.position(slot))
            for slot in (*offsets, *resumed)
        ]
        if partitions:
            self._client().incremental_assign(partitions)

    def retire(self, positions: Mapping[int, int], why: str) -> None:
        """Give up slots whose incarnation is over; `positions` says how far each was passed.

        What followed there can never be read: the log is covered from now on only.
        """
        over = self._incarnations.retire(positions)
        if over:
            self._client().incremental_unassign([TopicPartition(*key) for key in over])
        now = self._clock.now_ms()
        for slot, offset in sorted(positions.items()):
            self.beginnings[slot] = Beginning(offset, now)
            self.holes.append((slot, why))
            self.progress.forget(slot)
            self.lost.pop(slot, None)

    # ------------------------------------------------------------------ progress

    def records(self, columns: Columns, compacted: set[int]) -> list[Gap]:
        """Records were read. Returns the gaps among those of compacted slots."""
        gaps = self._gaps.records(columns.slots, columns.offsets, columns.timestamps, compacted)
        self.progress.records(columns.slots, columns.offsets)
        if any(beginning.provisional for beginning in self.beginnings.values()):
            self._settle(columns)
        return gaps

    def state(self, compacted: Collection[int], *, was_opened: bool) -> TailState:
        """All that another assignment needs to go on from here."""
        positions = self.progress.positions
        return TailState(
            positions,
            dict(self.beginnings),
            frozenset(self._incarnations.retired),
            self._gaps.newest_ms(positions),
            self._gaps.starts(positions),
            frozenset(compacted),
            tuple(self.holes),
            was_opened,
        )

    def ask_client(self) -> None:
        """Let the client say what it has passed beside records. Raises KafkaException."""
        slots = self._incarnations.slots
        for answer in self._client().position([TopicPartition(*key) for key in slots]):
            self.progress.client_position(slots[answer.topic, answer.partition], answer.offset)

    def _settle(self, columns: Columns) -> None:
        """Beginnings that waited for their first record take its timestamp."""
        slots, first = np.unique(columns.slots, return_index=True)
        for slot, timestamp in zip(slots.tolist(), columns.timestamps[first].tolist(), strict=True):
            beginning = self.beginnings.get(slot)
            if beginning is not None and beginning.provisional:
                self.beginnings[slot] = replace(beginning, covered_since_ms=timestamp, provisional=False)

    # ------------------------------------------------------------------ lost positions

    def lose(self, slot: int, offset: int | None) -> None:
        """The fetch of an offset failed; None: of the position, below which the log was cut meanwhile."""
        self.lost[slot] = self.progress.position(slot) if offset is None else offset

    def held(self, slots: Iterable[int]) -> dict[int, tuple[int, int]]:
        """The log start and the end of each slot's partition, asked for now."""
        keys = {slot: self._incarnations.key(slot) for slot in sorted(slots)}
        lows, ends = self._query.log_starts(list(keys.values())), self._query.ends(list(keys.values()))
        return {slot: (lows[key], ends[key]) for slot, key in keys.items()}

    def behind(self, held: Mapping[int, tuple[int, int]]) -> set[int]:
        """Slots of which unread records lie below the log start."""
        positions = self.progress.positions
        return {slot for slot in positions.keys() & held if held[slot][0] > positions[slot]}

    def recover(self, held: Mapping[int, tuple[int, int]]) -> None:
        """Let slots whose fetch failed go on at the nearest offset that is held. Raises KafkaException.

        The client may report the failure of a fetch that was given up meanwhile: then the offset is not the
        slot's position, which the log holds, and nothing is lost.
        """
        unharmed = {
            slot: position
            for slot, (low, end) in held.items()
            if low <= (position := self.progress.position(slot)) <= end and self.lost[slot] != position
        }
        self._fetch_again(unharmed)
        lost = {slot: edges for slot, edges in held.items() if slot not in unharmed}
        self._begin_again(lost)
        self.holes += [(slot, OFFSET_OUT_OF_RANGE) for slot in sorted(lost)]

    def skip(self, held: Mapping[int, tuple[int, int]]) -> None:
        """Go on at the log start where that has moved past a slot's position. Raises KafkaException."""
        behind = self.behind(held)
        self._begin_again({slot: held[slot] for slot in behind})
        self.holes += [(slot, LOG_START_MOVED) for slot in sorted(behind)]

    def _begin_again(self, held: Mapping[int, tuple[int, int]]) -> None:
        """Go on at the nearest offset that is held, covered from now on.

        Below the log that is its start. Beyond it (a truncated log) it is its end: what was read before must
        not be read again under other records' offsets.
        """
        offsets = {
            slot: max(low, min(self.progress.position(slot), end)) for slot, (low, end) in held.items()
        }
        self._fetch_again(offsets)
        now = self._clock.now_ms()
        for slot, offset in offsets.items():
            low, end = held[slot]
            self.progress.begin(slot, offset)
            self._gaps.begin(slot, offset)
            self.beginnings[slot] = Beginning(offset, now, provisional=offset == low < end)

    def _fetch_again(self, offsets: Mapping[int, int]) -> None:
        if offsets:
            partitions = [
                TopicPartition(*self._incarnations.key(slot), offset) for slot, offset in offsets.items()
            ]
            self._client().incremental_unassign(partitions)
            self._client().incremental_assign(partitions)
        for slot in offsets:
            self.lost.pop(slot, None)

    @property
    def _query(self) -> OffsetQuery:
        return OffsetQuery(self._client(), self._settings)
