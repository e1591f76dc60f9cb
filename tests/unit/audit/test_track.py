from __future__ import annotations

from pathlib import Path

import pytest

from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid
from dupscope.audit.track import Batch, Track


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"a\nbb\nccc\n")
    return path


@pytest.fixture
def track(path: Path):
    track = Track(str(path), 100, AuditPosition())
    yield track
    track.close()


def read(track: Track, count: int = 10):
    found = track.read(count, Invalid())
    assert found is not None
    return found


def acknowledge(batch: Batch) -> None:
    while batch.waiting:
        batch.acknowledged()


class TestTrack:
    def test_lines_with_their_ends_and_the_name_of_their_file(self, track, path):
        lines, batch = read(track)
        assert (lines.lines, list(lines.ends)) == ([b"a", b"bb", b"ccc"], [2, 5, 9])
        assert lines.file.startswith(f"{path.stat().st_ino}-")
        assert (batch.waiting, batch.nbytes, track.behind_bytes) == (4, 9, 9)
        assert lines.place(1) == f"{path}, byte 2"

    def test_it_moves_on_behind_what_is_acknowledged_in_order(self, track):
        """A later read that is acknowledged waits for the one before."""
        (_, first), (_, second) = read(track, 1), read(track, 1)
        for _ in range(2):
            second.acknowledged()
        assert not track.settle()
        for _ in range(2):
            first.acknowledged()
        assert track.settle()
        assert (track.acknowledged.offset, track.is_settled) == (5, True)

    def test_what_is_not_acknowledged_is_read_again(self, track):
        _, batch = read(track, 1)
        for _ in range(2):
            batch.acknowledged()
        track.settle()
        read(track)
        track.rewind()
        lines, _ = read(track)
        assert (lines.lines, list(lines.ends)) == ([b"bb", b"ccc"], [5, 9])

    def test_what_found_no_room_is_read_again(self, track):
        lines, batch = read(track)
        track.give_back(batch, lines, 1)
        for _ in range(2):
            batch.acknowledged()
        assert track.settle()
        assert track.acknowledged.offset == 2
        assert read(track)[0].lines == [b"bb", b"ccc"]

    def test_nothing_new_is_nothing_to_acknowledge(self, track):
        read(track)
        assert read(track)[0].at_end

    def test_another_file_comes_once_the_one_before_is_acknowledged(self, track, path):
        """It is begun by being noted: whoever finds it renamed must know of it."""
        _, batch = read(track)
        old = track.acknowledged.name
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"new\n")
        assert track.read(10, Invalid()) is None
        assert not track.is_settled
        acknowledge(batch)
        track.settle()
        lines, _ = read(track)
        assert (lines.lines, lines.file == old) == ([b"new"], False)
        assert (track.acknowledged.offset, track.acknowledged.name) == (0, lines.file)
        path.rename(path.with_suffix(".2"))
        again = Track(str(path), 100, track.acknowledged)
        assert read(again)[0].lines == [b"new"]
        again.close()

    def test_a_name_stays_when_the_file_is_renamed_and_grows(self, track, path):
        lines, _ = read(track)
        path.rename(path.with_suffix(".1"))
        with path.with_suffix(".1").open("ab") as file:
            file.write(b"d\n")
        assert read(track)[0].file == lines.file
