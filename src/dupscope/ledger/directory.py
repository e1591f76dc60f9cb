"""Which row holds a fingerprint: sorted runs of (low half, row), 12 bytes a key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dupscope.model.batch import I64, U64

U32 = npt.NDArray[np.uint32]

GROWTH = 8
"""A run is merged into the older one before it once that is less than this many times larger."""


class Directory:
    """A multimap from the low half of a fingerprint to row slots; the newest entry is found first.

    Entries are never removed one by one: whoever asks must check that the row still holds the key.
    `forget` drops stale ones in bulk.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[U64, U32]] = []

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._runs)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(keys.nbytes + rows.nbytes for keys, rows in self._runs)

    def find(self, keys: U64) -> I64:
        """The newest row slot entered for each key, -1 where there is none. Sorted keys are fastest."""
        rows = np.full(len(keys), -1, np.int64)
        open_ = np.arange(len(keys))
        for run_keys, run_rows in reversed(self._runs):
            wanted = keys[open_]
            at = np.searchsorted(run_keys, wanted, "right") - 1
            hit = run_keys[at] == wanted
            rows[open_[hit]] = run_rows[at[hit]]
            open_ = open_[~hit]
            if not len(open_):
                break
        return rows

    def candidates(self, key: int) -> list[int]:
        """Every row slot ever entered for one key, newest run first."""
        found: list[int] = []
        for run_keys, run_rows in reversed(self._runs):
            low, high = (
                np.searchsorted(run_keys, np.uint64(key), "left"),
                np.searchsorted(run_keys, np.uint64(key), "right"),
            )
            found.extend(int(row) for row in run_rows[low:high][::-1])
        return found

    def insert(self, keys: U64, rows: I64) -> None:
        """Enter sorted keys."""
        if not len(keys):
            return
        self._runs.append((keys, rows.astype(np.uint32)))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < GROWTH * len(self._runs[-1][0]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_merge(older, newer))

    def entries(self, wanted: npt.NDArray[np.bool_]) -> tuple[U64, U32]:
        """Keys and row slots of all entries whose row slot is marked."""
        picked = [(keys[wanted[rows]], rows[wanted[rows]]) for keys, rows in self._runs]
        if not picked:
            return np.empty(0, np.uint64), np.empty(0, np.uint32)
        return np.concatenate([keys for keys, _ in picked]), np.concatenate([rows for _, rows in picked])

    def forget(self, stale: npt.NDArray[np.bool_]) -> None:
        """Drop all entries of the row slots that are marked."""
        kept = []
        for keys, rows in self._runs:
            keep = ~stale[rows]
            if keep.all():
                kept.append((keys, rows))
            elif keep.any():
                kept.append((keys[keep], rows[keep]))
        self._runs = kept


def _merge(older: tuple[U64, U32], newer: tuple[U64, U32]) -> tuple[U64, U32]:
    """One sorted run of two; of equal keys the newer entry stands last."""
    at = np.searchsorted(older[0], newer[0], "right") + np.arange(len(newer[0]))
    size = len(older[0]) + len(newer[0])
    from_older = np.ones(size, np.bool_)
    from_older[at] = False
    keys, rows = np.empty(size, np.uint64), np.empty(size, np.uint32)
    keys[at], rows[at] = newer
    keys[from_older], rows[from_older] = older
    return keys, rows
