"""The index of rows against a plain dict, in rings so small that they turn many times."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dupscope.ledger.directory import Directory
from dupscope.ledger.rows import Rows
from dupscope.model.topology import Log, Sink, Topology
from property.settings import settings_profile

PAIR = Topology("p", (Log("source", "a"), Log("dr", "b", upstream=(0,))), (Sink("charger", (1,)),))
ABSENT = (1 << 63, 5)

settings_profile()

KEYS = st.tuples(st.integers(0, 5), st.integers(0, 3))
"""Few halves: several keys share their low half, and keys come back."""

STEPS = st.lists(
    st.tuples(st.just("append"), st.lists(KEYS, min_size=1, max_size=6, unique_by=lambda key: key[1]))
    | st.tuples(st.just("free"), st.integers(1, 6))
    | st.tuples(st.just("expire"), st.lists(st.booleans(), min_size=1, max_size=6)),
    max_size=60,
)


class Model:
    """What the ring should hold: live rows oldest first, as (key, position, timestamp)."""

    def __init__(self, capacity: int) -> None:
        self.rows = Rows(PAIR, capacity)
        self.live: list[tuple[tuple[int, int], int, int]] = []
        self.count = 0

    def append(self, keys: list[tuple[int, int]]) -> None:
        """New rows, after the oldest were freed where there is no room."""
        if len(keys) > self.rows.room:
            self.free(len(keys) - self.rows.room)
        keys = sorted(keys, key=lambda key: key[1])
        first = self.count + 1
        self.count += len(keys)
        numbers = np.arange(first, self.count + 1)
        slots = self.rows.append(
            np.array([high for high, _ in keys], np.uint64),
            np.array([low for _, low in keys], np.uint64),
            numbers * 1_000_000_007,
            numbers.astype(np.uint64),
        )
        self.rows.position[1][slots] = numbers
        self.live += [
            (key, number, number * 1_000_000_007) for key, number in zip(keys, numbers, strict=True)
        ]

    def free(self, count: int) -> None:
        count = min(count, len(self.live))
        self.rows.free(count)
        del self.live[:count]

    def expire(self, keep: list[bool]) -> None:
        """Free the oldest rows; those marked move to the front."""
        block = min(len(keep), len(self.live))
        marks = np.array(keep[:block], np.bool_)
        if np.count_nonzero(marks) > self.rows.room:
            return
        slots = self.rows.slots(block)[marks]
        if len(slots):
            moved = self.rows.repeat(slots)
            numbers = [int(self.rows.position[1][slot]) for slot in moved]
            by_number = {row[1]: row for row in self.live}
            self.live += sorted((by_number[n] for n in numbers), key=lambda row: self._place(row[1]))
        self.rows.free(block)
        del self.live[:block]

    def _place(self, number: int) -> int:
        """Where a moved row stands in the ring: behind all others."""
        live = self.rows.position[1][self.rows.live()].tolist()
        return len(live) - live[::-1].index(number)

    def check(self) -> None:
        newest = {key: (number, stamp) for key, number, stamp in self.live}
        asked = sorted([*newest, ABSENT], key=lambda key: key[1])
        found = self.rows.find(
            np.array([high for high, _ in asked], np.uint64), np.array([low for _, low in asked], np.uint64)
        )
        for key, slot in zip(asked, found.tolist(), strict=True):
            assert slot == self.rows.find_one(*key)
            if key == ABSENT:
                assert slot == -1
                continue
            number, stamp = newest[key]
            assert int(self.rows.position[1][slot]) == int(self.rows.content[slot]) == number
            assert self.rows.timestamp_of(slot) == stamp
        assert len(self.rows) == len(self.live) <= self.rows.capacity


class TestRows:
    @given(st.integers(6, 17), STEPS)
    def test_they_hold_what_a_dict_holds(self, capacity: int, steps: list[tuple[str, list]]) -> None:
        """The newest live row of each key is found, whatever shares its low half and wherever the ring is."""
        model = Model(capacity)
        for what, argument in steps:
            getattr(model, what)(argument)
            model.check()

    @given(st.integers(6, 17), STEPS)
    def test_freed_keys_are_gone(self, capacity: int, steps: list[tuple[str, list]]) -> None:
        """A key without a live row has none."""
        model = Model(capacity)
        for what, argument in steps:
            getattr(model, what)(argument)
        live = {key for key, _, _ in model.live}
        gone = {(high, low) for high in range(6) for low in range(4)} - live
        assert all(model.rows.find_one(*key) == -1 for key in gone)

    @given(st.lists(st.integers(0, 1 << 48), min_size=1, max_size=6))
    def test_timestamps_of_48_bits_come_back(self, stamps: list[int]) -> None:
        rows = Rows(PAIR, 8)
        zeros = np.zeros(len(stamps), np.uint64)
        slots = rows.append(zeros, np.arange(len(stamps), dtype=np.uint64), np.array(stamps), zeros)
        assert rows.timestamp(slots).tolist() == [min(stamp, (1 << 48) - 1) for stamp in stamps]


class TestDirectory:
    @given(st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=10), max_size=30), st.data())
    def test_it_finds_the_newest_entry(self, batches: list[set[int]], data: st.DataObject) -> None:
        """Through merges of runs, also when older entries were forgotten."""
        directory, newest, row = Directory(), {}, 0
        rows_of: dict[int, list[int]] = {}
        for batch in batches:
            keys = sorted(batch)
            rows = list(range(row, row + len(keys)))
            row += len(keys)
            directory.insert(np.array(keys, np.uint64), np.array(rows, np.int64))
            for key, slot in zip(keys, rows, strict=True):
                newest[key] = slot
                rows_of.setdefault(key, []).append(slot)
        below = data.draw(st.integers(0, row))
        stale = np.arange(row + 1) < below
        directory.forget(stale)
        kept = {key: [slot for slot in slots if slot >= below] for key, slots in rows_of.items()}
        for key in range(10):
            expected = kept.get(key, [])
            assert directory.candidates(key) == expected[::-1]
            assert directory.find(np.array([key], np.uint64)).tolist() == (expected[-1:] or [-1])
