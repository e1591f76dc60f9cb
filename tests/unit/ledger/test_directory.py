from __future__ import annotations

import numpy as np

from dupscope.ledger.directory import GROWTH, Directory


def entered(*runs: dict[int, int]) -> Directory:
    """A directory with runs of key: row entered one after the other."""
    made = Directory()
    for run in runs:
        keys = sorted(run)
        made.insert(np.array(keys, np.uint64), np.array([run[key] for key in keys], np.int64))
    return made


def find(directory: Directory, *keys: int) -> list[int]:
    return directory.find(np.array(keys, np.uint64)).tolist()


class TestFind:
    def test_a_key_that_was_never_entered_has_no_row(self):
        assert find(entered({5: 0}), 4, 6) == [-1, -1]
        assert find(Directory(), 4) == [-1]

    def test_the_newest_row_is_found(self):
        assert find(entered({5: 0}, {5: 1}), 5) == [1]

    def test_also_after_runs_were_merged(self):
        directory = entered({key: key for key in range(100)}, *({50: 200 + n} for n in range(30)))
        assert find(directory, 50, 99) == [229, 99]

    def test_candidates_are_all_rows_of_a_key_newest_first(self):
        assert entered({5: 0}, {5: 1}, {5: 2}).candidates(5) == [2, 1, 0]


class TestMemory:
    def test_runs_are_merged_so_that_few_remain(self):
        directory = entered(*({key: key} for key in range(1000)))
        assert len(directory._runs) <= 1 + int(np.log(1000) / np.log(GROWTH)) + 1
        assert len(directory) == 1000

    def test_twelve_bytes_a_key(self):
        assert entered({key: key for key in range(100)}).nbytes == 1200


class TestForget:
    def test_entries_of_marked_rows_go(self):
        directory = entered({1: 0, 2: 1}, {3: 2})
        directory.forget(np.array([True, False, True]))
        assert find(directory, 1, 2, 3) == [-1, 1, -1]
        assert len(directory) == 1

    def test_entries_lists_those_of_marked_rows(self):
        keys, rows = entered({1: 0, 2: 1}, {3: 2}).entries(np.array([True, False, True]))
        assert dict(zip(keys.tolist(), rows.tolist(), strict=True)) == {1: 0, 3: 2}
