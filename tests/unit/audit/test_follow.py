from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid

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
        invalid = Invalid()
        lines = self.followed.read(max_lines, invalid)
        self.invalid += invalid.counts
        return lines

    def kill(self) -> None:
        """Another process goes on at the position."""
        position = self.followed.position
        self.followed.close()
        self.followed = FollowedFile(str(self.path), LIMIT)
        self.followed.position = position

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
        assert log.followed.offset == 2
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
            assert log.followed.offset == log.followed.size() == log.path.stat().st_size


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
        assert log.followed.offset == log.followed.position.offset == size


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

    def test_cut_and_grown_beyond_what_was_read(self, log: Log) -> None:
        log.append(b"a\nb\n")
        log.read()
        log.path.write_bytes(b"c\nd\ne\n")
        assert log.read() == [b"c", b"d", b"e"]
        assert log.invalid == {"rotated": 1}

    def test_the_new_one_is_begun_when_it_holds_something(self, log: Log) -> None:
        """Until then the program that writes may not have noticed."""
        log.append(b"a\n")
        log.read()
        old = log.path.rename(log.path.with_suffix(".1"))
        log.path.touch()
        assert log.read() == []
        with old.open("ab") as file:
            file.write(b"b\n")
        assert log.read() == [b"b"]
        log.append(b"c\n")
        assert log.read() == [b"c"]
        assert log.invalid == {"rotated": 1}

    def test_a_line_too_long_at_the_end_of_the_old_one(self, tmp_path: Path) -> None:
        with Log(tmp_path / "a") as log:
            log.append(b"a\n")
            log.read()
            log.append(b"x" * (10 << 20) + b"\nb\n")
            log.path.rename(log.path.with_suffix(".1"))
            log.append(b"c\n")
            assert [log.read(), log.read(), log.read()] == [[], [b"b"], [b"c"]]
            assert log.invalid == {"oversize": 1, "rotated": 1}

    def test_sizes_and_offsets_go_on_over_several_files(self, log: Log) -> None:
        log.append(b"a\n")
        log.read()
        assert (log.followed.offset, log.followed.size()) == (2, 2)
        log.append(b"lost\n")
        assert log.followed.size() == 7
        log.path.write_bytes(b"c\nd\n")
        for offset in (4, 6, 7):
            assert log.followed.size() == 7
            log.read(1)
            assert log.followed.offset == offset
        log.path.rename(log.path.with_suffix(".1"))
        log.append(b"ef\n")
        assert (log.followed.offset, log.followed.size()) == (7, 10)
        log.read()
        assert (log.followed.offset, log.followed.size()) == (10, 10)

    def test_what_a_cut_took_before_it_was_read_is_not_waited_for(self, log: Log) -> None:
        log.append(b"a\n")
        assert log.followed.size() == 2
        log.path.write_bytes(b"")
        assert (log.read(), log.followed.offset, log.invalid) == ([], 2, {})


class TestCopied:
    """A file whose content lies under another inode: a restored volume, an editor that writes anew."""

    LINES = b"".join(b"line %03d\n" % number for number in range(60))

    def copy(self, log: Log, more: bytes = b"") -> None:
        copy = log.path.with_name("copy")
        copy.write_bytes(log.path.read_bytes() + more)
        copy.replace(log.path)

    @pytest.mark.parametrize("killed", [True, False])
    def test_goes_on(self, log: Log, *, killed: bool) -> None:
        """No line is read again, and none is lost."""
        log.append(self.LINES)
        assert len(log.read()) == 60
        self.copy(log, b"new\n")
        if killed:
            log.kill()
        assert log.read() == [b"new"]
        assert not log.invalid

    def test_too_short_to_be_told(self, log: Log) -> None:
        """The same first line may begin another log as well."""
        log.append(b"header\n")
        assert log.read() == [b"header"]
        self.copy(log, b"new\n")
        log.kill()
        assert log.read() == [b"header", b"new"]


class TestResumed:
    """Another reader goes on at a position in the file that this is of, wherever that lies now."""

    def test_the_same_file(self, log: Log) -> None:
        log.append(b"a\nb\nc")
        for expected in ([b"a"], [b"b"], []):
            assert log.read(1) == expected
            log.kill()
        assert log.followed.size() == 4
        log.append(b"\n")
        assert (log.read(), log.invalid) == ([b"c"], {})

    def test_none_was_there_yet(self, log: Log) -> None:
        log.read()
        log.kill()
        log.append(b"a\n")
        assert (log.read(), log.invalid) == ([b"a"], {})

    def test_within_a_line_too_long(self, log: Log) -> None:
        log.append(b"a\n" + b"x" * (LIMIT + 1))
        assert [log.read(), log.read()] == [[b"a"], []]
        for _ in range(2):
            log.kill()
            assert log.read() == []
            log.append(b"y" * 100)
        log.append(b"\nb\n")
        assert log.read() == [b"b"]
        assert log.invalid == {"oversize": 1}

    @pytest.mark.parametrize("is_made_anew", [False, True])
    def test_moved_away(self, log: Log, *, is_made_anew: bool) -> None:
        log.append(b"a\nb\n")
        log.read(1)
        log.path.rename(log.path.with_suffix(".1"))
        if is_made_anew:
            log.append(b"c\n")
        log.kill()
        assert log.followed.size() == (6 if is_made_anew else 4)
        assert log.read() == [b"b"]
        log.kill()
        assert log.read() == [b"c"] * is_made_anew
        assert log.invalid == ({"rotated": 1} if is_made_anew else {})

    def test_gone_and_another_in_its_place(self, log: Log) -> None:
        log.append(b"a\nb\n")
        log.read(1)
        other = log.path.with_name("other")
        other.write_bytes(b"a\nc\nd\n")
        other.rename(log.path)
        log.kill()
        assert log.followed.size() == 8
        assert (log.read(), log.invalid) == ([b"a", b"c", b"d"], {"rotated": 1})
        assert log.followed.offset == log.followed.size() == 8

    @pytest.mark.parametrize("content", [b"c\n", b"c\nd\ne\n"], ids=["shorter", "longer"])
    def test_cut(self, log: Log, content: bytes) -> None:
        log.append(b"a\nb\n")
        log.read()
        log.path.write_bytes(content)
        log.kill()
        assert (log.read(), log.invalid) == (content.split(), {"rotated": 1})

    def test_gone_and_not_made_yet(self, log: Log) -> None:
        log.append(b"a\n")
        log.read()
        log.path.unlink()
        for _ in range(2):
            log.kill()
            assert (log.read(), log.followed.position.offset) == ([], 2)
        log.append(b"b\n")
        assert (log.read(), log.invalid) == ([b"b"], {"rotated": 1})

    def test_by_a_link_that_leads_elsewhere_now(self, tmp_path: Path) -> None:
        (tmp_path / "logs").mkdir()
        days = [tmp_path / "logs" / f"audit-{day}" for day in (1, 2)]
        days[0].write_bytes(b"a\nb\n")
        days[1].write_bytes(b"c\n")
        with Log(tmp_path / "audit") as log:
            log.path.symlink_to(days[0])
            assert log.read(1) == [b"a"]
            log.path.unlink()
            log.path.symlink_to(days[1])
            log.kill()
            assert [log.read(), log.read()] == [[b"b"], [b"c"]]
            assert log.invalid == {"rotated": 1}

    def test_descriptors_are_given_back(self, log: Log) -> None:
        log.append(b"a\n")
        log.read()
        log.path.unlink()
        before = len(list(Path("/dev/fd").iterdir()))
        for _ in range(3):
            log.kill()
            log.path.write_bytes(b"b\n")
            log.read()
            log.path.unlink()
        assert len(list(Path("/dev/fd").iterdir())) == before


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


@dataclass(frozen=True)
class Stored:
    """What a reader has stored of itself."""

    position: AuditPosition
    found: list[int]
    invalid: Counter[str]


class Life(RuleBasedStateMachine):
    """One program writes numbered lines, a file is rotated, and a reader stores how far it is and is killed.

    What was read since the last store is read again after a kill. Every line comes exactly once and in order;
    but not those that were in a file when that was cut, and were not read, or not stored before a kill. A
    file is renamed only when the one before was read and stored: one in between is not followed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "audit.jsonl"
        self.file: BinaryIO | None = None
        self.rest = b""
        self.count = self.renamed = self.cuts = 0
        self.expected: list[int] = []
        self.in_file: list[int] = []
        self.lost_by_a_kill: set[int] = set()
        self.oversize: set[int] = set()
        self.targets: list[int] = []
        self.begin_process(Stored(AuditPosition(), [], Counter()))

    def begin_process(self, stored: Stored) -> None:
        self.stored = stored
        self.followed = FollowedFile(str(self.path), LIMIT)
        self.followed.position = stored.position
        self.found, self.invalid = [*stored.found], Counter(stored.invalid)
        self.targets.clear()

    # ------------------------------------------------------------------ the program that writes

    def write(self, octets: bytes) -> None:
        if self.file is None:
            self.file = self.path.open("ab", buffering=0)
        self.file.write(octets)

    def finish(self) -> None:
        if self.rest:
            self.write(self.rest)
            self.expected.append(self.count)
            self.in_file.append(self.count)
            self.rest = b""
            self.count += 1

    @rule(width=st.integers(0, 3 * LIMIT), written=st.integers(0, 3 * LIMIT))
    def begin_line(self, width: int, written: int) -> None:
        """Write a line, or only its beginning: a number, and filling up to some width."""
        self.finish()
        line = (b"%06d" % self.count).ljust(width, b"x")
        if len(line) > LIMIT:
            self.oversize.add(self.count)
        self.write(line[:written])
        self.rest = line[written:] + b"\n"

    @rule(count=st.integers(0, 4))
    def write_lines(self, count: int) -> None:
        self.finish()
        for _ in range(count):
            self.rest = b"%06d\n" % self.count
            self.finish()

    # ------------------------------------------------------------------ rotation

    @property
    def is_rename_due(self) -> bool:
        """Whether reader and store are in the file that has the path, with something read of it."""
        if self.file is None or not self.path.exists():
            return False
        with self.path.open("rb") as file:
            known = (self.followed.position, self.stored.position)
            return all(position.head and position.fits(file.fileno()) for position in known)

    @precondition(lambda self: self.is_rename_due)
    @rule(is_made=st.booleans())
    def rename(self, *, is_made: bool) -> None:
        """The program goes on writing to the file until it opens the path again."""
        self.renamed += 1
        self.path.rename(f"{self.path}.{self.renamed}")
        if is_made:
            self.path.touch()

    @precondition(lambda self: self.file is not None)
    @rule()
    def open_again(self) -> None:
        inode = os.fstat(self.file.fileno()).st_ino
        if not self.path.exists() or self.path.stat().st_ino != inode:
            self.finish()
            self.file.close()
            self.file, self.in_file = self.path.open("ab", buffering=0), []

    @precondition(lambda self: self.file is not None and os.fstat(self.file.fileno()).st_size)
    @rule()
    def cut(self) -> None:
        if self.path.exists() and self.path.stat().st_ino == os.fstat(self.file.fileno()).st_ino:
            self.finish()
            self.cuts += 1
            os.truncate(self.path, 0)
            self.lost_by_a_kill |= set(self.in_file) - set(self.stored.found)
            unread = set(self.in_file) - set(self.found)
            self.expected = [line for line in self.expected if line not in unread]
            self.in_file = []

    @rule()
    def expire(self) -> None:
        """Delete renamed files that were read: their inodes may be those of others from now on."""
        known = {self.followed.position.inode, self.stored.position.inode}
        written = None if self.file is None else os.fstat(self.file.fileno()).st_ino
        for old in Path(self.folder.name).glob("audit.jsonl.*"):
            if old.stat().st_ino not in known | {written}:
                old.unlink()

    # ------------------------------------------------------------------ the reader

    @rule(max_lines=st.integers(1, 5))
    def read(self, max_lines: int) -> None:
        invalid = Invalid()
        self.found += [int(line[:6]) for line in self.followed.read(max_lines, invalid)]
        self.invalid += invalid.counts

    @rule()
    def store(self) -> None:
        position = AuditPosition.from_tree(self.followed.position.tree())
        self.stored = Stored(position, [*self.found], Counter(self.invalid))
        self.lost_by_a_kill.clear()

    @rule()
    def kill(self) -> None:
        self.followed.close()
        self.expected = [line for line in self.expected if line not in self.lost_by_a_kill]
        self.lost_by_a_kill.clear()
        self.begin_process(self.stored)

    @rule()
    def close(self) -> None:
        self.followed.close()

    @rule()
    def aim(self) -> None:
        """What lies below this is to be read."""
        self.targets.append(self.followed.size())

    @invariant()
    def nothing_comes_twice_or_out_of_order(self) -> None:
        assert self.found == sorted(set(self.found))

    def teardown(self) -> None:
        try:
            self.finish()
            self.read_on()
            self.check()
        finally:
            self.followed.close()
            if self.file is not None:
                self.file.close()
            self.folder.cleanup()

    def read_on(self) -> None:
        for _ in range(3):
            before = -1
            while before != (before := self.followed.offset):
                self.read(5)

    def check(self) -> None:
        passed = [line for line in self.expected if line in self.oversize and line not in self.found]
        assert self.found == [line for line in self.expected if line not in passed]
        assert all(self.followed.offset >= target for target in [*self.targets, self.followed.size()])
        if not self.cuts:
            followed = self.renamed - (not self.path.exists() or not self.path.stat().st_size)
            assert self.invalid["rotated"] == max(0, followed)
            assert self.invalid["oversize"] == len(passed)
        assert self.invalid["unreadable"] == 0


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
