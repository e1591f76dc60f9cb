"""The rows of the index: a ring of columns, one row a key that has at most one copy in each log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dupscope.ledger.directory import Directory
from dupscope.model.batch import I64, U64, Bools
from dupscope.model.plain import Column, Plain
from dupscope.model.topology import Topology

CASE = 1
"""State bit: the key left the norm, a case holds its copies and the row only its place."""
UNEXPLAINED = 0x7E
"""State bits: in some mirror, the copy was closed without an upstream copy. See `unexplained`."""
REDRIVEN = 0x80
"""State bit: the source copy says of itself that it is an intended replay."""

NO_POSITION = 255
"""`read` of a sink: there was an effect, whose line names no position."""
LACKING = 254
"""`read` of a sink: there was no effect although one was expected; that was counted."""

ENTERED_AT_ONCE = 1 << 21
"""Rows that a restore sorts at once: so many need 32 bytes each for a moment."""

DIRECTORY_BYTES = 12
KEY_BYTES = 8 + 8 + 4 + 2 + 1
LOG_BYTES = 8
SINK_BYTES = 4 + 4 + 1


def unexplained(mirror: int) -> int:
    """The state bit of a mirror; beyond six mirrors some share one."""
    return 2 << mirror % 6


@dataclass(frozen=True, slots=True)
class Freed:
    """Row slots that are about to be freed, marked by slot. Those in `old` (ascending) go on as `new`."""

    marked: Bools
    old: I64
    new: I64

    def survivors(self, slots: I64) -> I64:
        """Where rows are from now on, without those that are gone."""
        moved = slots[np.isin(slots, self.old)]
        return np.concatenate([slots[~self.marked[slots]], self.new[np.searchsorted(self.old, moved)]])


def bytes_per_key(topology: Topology) -> int:
    """Bytes that one key costs while it is in the norm."""
    return DIRECTORY_BYTES + KEY_BYTES + LOG_BYTES * len(topology.logs) + SINK_BYTES * len(topology.sinks)


class Rows:
    """Columns addressed by slot = row number modulo capacity; row numbers only grow.

    Whoever changes columns of rows, or a case that has its place in one, says so by `touch`. At most `limit`
    rows are held; only after a restore with a smaller limit there may be more for a while.

    position[log]   packed position of the one copy in that log, 0 for none
    content         as in `RecordBatch`; of the source copy once there is one
    effect_id, at   of the one effect of a sink; `at` is the delay after the row's timestamp in ms, saturating
    read[sink]      0 no effect, LACKING, NO_POSITION, or 1 + index of the log of the effect's position
    The columns of one width lie side by side in one table: a row is one cache line, and memory is touched
    only as rows are used, so an unused capacity costs nothing.
    """

    def __init__(self, topology: Topology, limit: int, block_rows: int = 1 << 15) -> None:
        self.limit = limit
        self.first = 0
        self.next = 0
        self.directory = Directory()
        self._block_rows = block_rows
        self._sources = topology.sources
        self._upstream = [log.upstream for log in topology.logs]
        self._shape = len(topology.logs), len(topology.sinks)
        self._allocate(limit)

    def _allocate(self, capacity: int) -> None:
        logs, sinks = self._shape
        self.capacity = capacity
        self._dirty = np.zeros(capacity // self._block_rows + 1, np.bool_)
        self._wide = np.zeros((capacity, 2 + logs), np.uint64)
        self._half = np.zeros((capacity, 1 + 2 * sinks), np.uint32)
        self._time_hi = np.zeros(capacity, np.uint16)
        self._bits = np.zeros((capacity, 1 + sinks), np.uint8)
        self.fp_hi, self.content = self._wide[:, 0], self._wide[:, 1]
        self.position = [self._wide[:, 2 + log] for log in range(logs)]
        self._time_lo = self._half[:, 0]
        self.effect_id = [self._half[:, 1 + sink] for sink in range(sinks)]
        self.at = [self._half[:, 1 + sinks + sink] for sink in range(sinks)]
        self.state = self._bits[:, 0]
        self.read = [self._bits[:, 1 + sink] for sink in range(sinks)]

    def __len__(self) -> int:
        return self.next - self.first

    @property
    def nbytes(self) -> int:
        """Bytes held: the used part of the columns, and the directory."""
        tables = (self._wide, self._half, self._time_hi, self._bits)
        used = sum(table.nbytes for table in tables) * len(self) // self.capacity
        return used + self.directory.nbytes

    @property
    def room(self) -> int:
        """Rows that can be appended before the ring is full."""
        return self.limit - len(self)

    def touch(self, slots: I64) -> None:
        """These rows, or their cases, have changed since they were exported."""
        self._dirty[slots // self._block_rows] = True

    def slots(self, count: int) -> I64:
        """Slots of the `count` oldest rows."""
        return np.arange(self.first, self.first + count, dtype=np.int64) % self.capacity

    def live(self) -> I64:
        """Slots of all rows, oldest first."""
        return self.slots(len(self))

    def timestamp(self, slots: I64) -> I64:
        """Timestamps in milliseconds."""
        return self._time_lo[slots].astype(np.int64) | (self._time_hi[slots].astype(np.int64) << 32)

    def timestamp_of(self, slot: int) -> int:
        """The timestamp of one row in milliseconds."""
        return int(self._time_lo[slot]) | (int(self._time_hi[slot]) << 32)

    def set_timestamp(self, slots: I64 | slice, timestamp: I64) -> None:
        """Store timestamps; a record without one (-1) counts as 1970."""
        clean = np.clip(timestamp, 0, (1 << 48) - 1)
        self._time_lo[slots] = (clean & 0xFFFFFFFF).astype(np.uint32)
        self._time_hi[slots] = (clean >> 32).astype(np.uint16)

    def above(self, mirror: int, slots: I64) -> U64:
        """Positions of the copies that a mirror's own descend from, 0 for none.

        A row of the norm has at most one copy in all logs that a mirror copies.
        """
        return self._either(self._upstream[mirror], slots)

    def sourced(self, slots: I64) -> U64:
        """Positions of the source copies, 0 for none."""
        return self._either(self._sources, slots)

    def _either(self, logs: tuple[int, ...], slots: I64) -> U64:
        found = self.position[logs[0]][slots]
        for log in logs[1:]:
            found = np.maximum(found, self.position[log][slots])
        return np.asarray(found)

    def find(self, fp_hi: U64, fp_lo: U64) -> I64:
        """The slot of each fingerprint, -1 for none. Fastest when sorted by `fp_lo`."""
        slots = self.directory.find(fp_lo)
        hit = np.flatnonzero(slots >= 0)
        if len(hit):
            found = slots[hit]
            wrong = (self.fp_hi[found] != fp_hi[hit]) | ~self.is_live(found)
            for i in hit[wrong]:
                slots[i] = self.find_one(int(fp_hi[i]), int(fp_lo[i]))
        return slots

    def find_one(self, fp_hi: int, fp_lo: int) -> int:
        """The slot of one fingerprint, -1 for none; exact also when two keys share their low half."""
        for slot in self.directory.candidates(fp_lo):
            if int(self.fp_hi[slot]) == fp_hi and (slot - self.first) % self.capacity < len(self):
                return slot
        return -1

    def numbers(self, slots: I64) -> I64:
        """Row numbers of live slots."""
        return self.first + (slots - self.first) % self.capacity

    def is_live(self, slots: I64) -> Bools:
        """Whether slots hold rows that are not freed."""
        return np.asarray((slots - self.first) % self.capacity < len(self))

    def append(self, fp_hi: U64, fp_lo: U64, timestamp: I64, content: U64) -> I64:
        """Add rows without any copy yet, given sorted by `fp_lo`. Returns their slots."""
        slots = (self.next + np.arange(len(fp_hi), dtype=np.int64)) % self.capacity
        for place, part in self._spans(len(fp_hi)):
            for table in (self._wide, self._half, self._bits):
                table[place] = 0
            self.fp_hi[place] = fp_hi[part]
            self.content[place] = content[part]
            self.set_timestamp(place, timestamp[part])
        self.next += len(fp_hi)
        self.directory.insert(fp_lo, slots)
        self.touch(slots)
        return slots

    def _spans(self, count: int) -> Iterator[tuple[slice, slice]]:
        """Where the next `count` rows go: slots, contiguous up to the end of the ring, and which rows."""
        at = self.next % self.capacity
        head = min(count, self.capacity - at)
        yield slice(at, at + head), slice(head)
        yield slice(count - head), slice(head, None)

    def fingerprints_low(self, slots: I64) -> U64:
        """The low halves of the fingerprints of some live rows; scans the directory."""
        wanted = np.zeros(self.capacity, np.bool_)
        wanted[slots] = True
        keys, rows = self.directory.entries(wanted)
        order = np.argsort(rows)
        return np.asarray(keys[order][np.searchsorted(rows[order], slots)])

    def clear(self, slot: int) -> None:
        """Empty a row that is forgotten before its turn: no copies, older than any edge."""
        for table in (self._wide[:, 1:], self._half, self._bits):
            table[slot] = 0
        self._time_hi[slot] = 0
        self.touch(np.array([slot]))

    def repeat(self, slots: I64) -> I64:
        """Append the same rows again, which makes the old ones stale. Returns the new slots, in order."""
        low = self.fingerprints_low(slots)
        order = np.argsort(low, kind="stable")
        old = slots[order]
        new = (self.next + np.arange(len(old), dtype=np.int64)) % self.capacity
        self.next += len(old)
        for table in (self._wide, self._half, self._bits):
            table[new] = table[old]
        self._time_hi[new] = self._time_hi[old]
        self.touch(new)
        self.directory.insert(low[order], new)
        inverse = np.empty(len(order), np.int64)
        inverse[order] = new
        return inverse

    def free(self, count: int) -> None:
        """Free the `count` oldest rows. Scans the directory: free many at a time."""
        stale = np.zeros(self.capacity, np.bool_)
        stale[self.slots(count)] = True
        self.directory.forget(stale)
        self.first += count

    # ------------------------------------------------------------------ stored blocks

    @property
    def blocks(self) -> range:
        """Numbers of the blocks that hold rows; none where all rows were freed, wherever the ring stands."""
        start = self.first // self._block_rows
        return range(start, -(-self.next // self._block_rows) if len(self) else start)

    def changed_blocks(self) -> list[int]:
        """Blocks with rows that were touched since `settle`."""
        size = self._block_rows
        slots = (np.flatnonzero(self._dirty)[:, None] * size + np.arange(size)).ravel()
        slots = slots[slots < self.capacity]
        return [int(block) for block in np.unique(self.numbers(slots[self.is_live(slots)]) // size)]

    def settle(self) -> None:
        """All that was touched was exported."""
        self._dirty[:] = False

    def number_of(self, slot: int) -> int:
        """The number of a live row."""
        return self.first + (slot - self.first) % self.capacity

    def block_of(self, slot: int) -> int:
        """The block of a live row."""
        return self.number_of(slot) // self._block_rows

    def export(self, blocks: Iterable[int]) -> Callable[[int], dict[str, Plain]]:
        """Gives the rows of each of some blocks, until rows change. Scans the directory once."""
        low = self._low_halves([self._span(block)[1] for block in blocks])

        def rows_of(block: int) -> dict[str, Plain]:
            first, slots = self._span(block)
            columns = {name: table[slots] for name, table in self._tables().items()}
            return {"first": first, "low": low[slots], **columns}

        return rows_of

    def restore(self, first: int, stop: int, blocks: Iterable[dict[str, Any]]) -> None:
        """Take the rows from `first` to `stop`, exported before, into an empty ring."""
        if stop - first > self.capacity:
            self._allocate(stop - first)
        self.first, self.next = first, stop
        low: list[U64] = []
        slots: list[I64] = []
        for block in blocks:
            numbers = np.arange(block["first"], block["first"] + len(block["low"]), dtype=np.int64)
            held = slice(*np.searchsorted(numbers, (first, stop)))
            where = numbers[held] % self.capacity
            for name, table in self._tables().items():
                table[where] = block[name][held]
            low.append(block["low"][held])
            slots.append(where)
            if len(low) * self._block_rows >= ENTERED_AT_ONCE:
                self._enter(low, slots)
        self._enter(low, slots)

    def _enter(self, low: list[U64], slots: list[I64]) -> None:
        """Enter rows into the directory, and empty both lists."""
        if low:
            keys = np.concatenate(low)
            order = np.argsort(keys, kind="stable")
            self.directory.insert(keys[order], np.concatenate(slots)[order])
        low.clear()
        slots.clear()

    def _span(self, block: int) -> tuple[int, I64]:
        """The first live row of a block, and the slots of all."""
        first = max(self.first, block * self._block_rows)
        stop = min(self.next, (block + 1) * self._block_rows)
        return first, np.arange(first, stop, dtype=np.int64) % self.capacity

    def _low_halves(self, wanted: list[I64]) -> U64:
        """The low halves of the fingerprints of some live rows, by slot."""
        marked = np.zeros(self.capacity, np.bool_)
        for slots in wanted:
            marked[slots] = True
        keys, rows = self.directory.entries(marked)
        low = np.empty(self.capacity, np.uint64)
        low[rows] = keys
        return low

    def _tables(self) -> dict[str, Column]:
        return {"wide": self._wide, "half": self._half, "time_hi": self._time_hi, "bits": self._bits}
