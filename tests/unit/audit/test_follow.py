from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.audit.follow import FollowedFile

LIMIT = 20


class Log:
    """A file, one that follows it, and what that one could not read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.invalid: Counter[str] = Counter()
        self.followed = FollowedFile(str(path), LIMIT)

    def append(self, octets: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(octets)

    def read(self, max_lines: int = 100) -> list[bytes]:
        return self.followed.read(max_lines, self.invalid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.followed.close()


@pytest.fixture
def log(tmp_path: Path):
    with Log(tmp_path / "audit.jsonl") as log:
        yield log


class TestAppends:
    """A line is given once, when it is whole."""

    def test_no_file_is_nothing_yet(self, log: Log) -> None:
        assert log.read() == []
        assert log.followed.size() == 0
        log.append(b"a\n")
        assert log.read() == [b"a"]
        assert log.invalid == {}

    def test_a_torn_line_waits_for_its_newline(self, log: Log) -> None:
        log.append(b"a\nb")
        assert log.read() == [b"a"]
        assert log.read() == []
        log.append(b"c")
        assert log.read() == []
        assert log.followed.position == 2
        log.append(b"\nd\n")
        assert log.read() == [b"bc", b"d"]
        assert log.invalid == {}

    def test_at_most_so_many_lines(self, log: Log) -> None:
        log.append(b"a\nb\nc\n\nd")
        assert [log.read(2), log.read(2), log.read(2)] == [[b"a", b"b"], [b"c", b""], []]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text("ab\r\0 ", max_size=LIMIT)), st.lists(st.integers(1, 30)), st.integers(1, 4))
    def test_however_it_is_written_and_read(
        self, tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int], at_once: int
    ) -> None:
        content = b"".join(line.encode() + b"\n" for line in lines)
        with Log(tmp_path_factory.mktemp("log") / "a") as log:
            found = []
            for cut in [*cuts, len(content)]:
                log.append(content[:cut])
                content = content[cut:]
                found += log.read(at_once)
            while got := log.read(at_once):
                found += got
            assert found == [line.encode() for line in lines]
            assert log.followed.position == log.followed.size() == log.path.stat().st_size

    def test_a_second_reader_goes_on_at_a_position(self, log: Log) -> None:
        log.append(b"a\nb\n")
        log.followed.position = 2
        assert log.read() == [b"b"]


class TestOversize:
    """A line too long is passed without being held in memory, and the next one is intact."""

    def test_passed_while_it_grows(self, log: Log) -> None:
        log.append(b"a\n" + b"x" * (LIMIT + 1))
        assert [log.read(), log.read()] == [[b"a"], []]
        for _ in range(3):
            log.append(b"y" * 100)
            assert log.read() == []
        log.append(b"\nb\n")
        assert log.read() == [b"b"]
        assert log.invalid == {"oversize": 1}

    def test_its_newline_comes_alone(self, log: Log) -> None:
        log.append(b"x" * (LIMIT + 1))
        log.read()
        log.append(b"\n")
        assert log.read() == []
        log.append(b"b\n")
        assert log.read() == [b"b"]
        assert log.invalid == {"oversize": 1}

    def test_the_longest_that_is_allowed_waits(self, log: Log) -> None:
        log.append(b"x" * LIMIT)
        assert log.read() == []
        log.append(b"\n")
        assert log.read() == [b"x" * LIMIT]
        assert log.invalid == {}

    def test_longer_than_a_read(self, tmp_path: Path) -> None:
        with Log(tmp_path / "a") as log:
            log.append(b"x" * (10 << 20) + b"\nb\n")
            assert [log.read(), log.read(), log.read()] == [[], [b"b"], []]
            assert log.invalid == {"oversize": 1}


class TestSize:
    """The size ends with the last whole line: what is torn may stay so for ever."""

    @pytest.mark.parametrize(
        ("content", "size"),
        [(b"", 0), (b"a", 0), (b"a\n", 2), (b"a\nbc", 2), (b"x" * 99, 99), (b"a\n" + b"x" * 99, 101)],
    )
    def test_size(self, log: Log, content: bytes, size: int) -> None:
        log.append(content)
        assert log.followed.size() == size
        while log.read():
            pass
        assert log.followed.position == size


class TestReplaced:
    """A file that is not the one that was read is read from its start, and said to be another."""

    def test_cut(self, log: Log) -> None:
        log.append(b"a\nb\n")
        log.read()
        log.path.write_bytes(b"c\n")
        assert log.read() == [b"c"]
        assert log.invalid == {"rotated": 1}

    def test_moved_away_and_made_anew(self, log: Log) -> None:
        log.append(b"a\n")
        log.read()
        log.append(b"b\n")
        log.path.rename(log.path.with_suffix(".1"))
        log.append(b"c\n")
        assert [log.read(), log.read(), log.read()] == [[b"b"], [b"c"], []]
        assert log.invalid == {"rotated": 1}

    def test_moved_away_and_not_made_yet(self, log: Log) -> None:
        log.append(b"a\n")
        log.read()
        log.path.rename(log.path.with_suffix(".1"))
        assert log.read() == []
        assert log.invalid == {}

    def test_a_position_within_a_line_is_none_of_this_file(self, log: Log) -> None:
        log.append(b"abc\nd\n")
        log.followed.position = 2
        assert log.read() == [b"d"]
        assert log.invalid == {"rotated": 1}


class TestUnreadable:
    """A path that leads to no readable file is counted at each attempt."""

    def test_directory(self, log: Log) -> None:
        log.path.mkdir()
        assert [log.read(), log.read()] == [[], []]
        assert log.followed.size() == 0
        assert log.invalid == {"unreadable": 2}

    def test_pipe_does_not_block(self, log: Log) -> None:
        os.mkfifo(log.path)
        assert log.read() == []
        assert log.invalid == {"unreadable": 1}

    def test_a_part_of_the_path_is_a_file(self, log: Log) -> None:
        log.append(b"a\n")
        with Log(log.path / "audit.jsonl") as below:
            assert below.read() == []
            assert below.invalid == {"unreadable": 1}

    def test_descriptors_are_given_back(self, tmp_path: Path) -> None:
        before = len(list(Path("/dev/fd").iterdir()))
        with Log(tmp_path) as log:
            log.read()
        assert len(list(Path("/dev/fd").iterdir())) == before
