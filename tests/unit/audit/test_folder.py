from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from dupscope.audit.files import AuditFiles
from dupscope.audit.folder import MOST_OPEN, AuditFolder, is_pattern
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import FileSource
from dupscope.kafka.clock import Clock
from support.clock import ManualClock

LIMIT = 100


class Reader:
    """A reader of the folder, which may be killed: then it goes on where its state was stored last."""

    def __init__(self, folder: Path) -> None:
        self.pattern = folder / "*.jsonl"
        self.lines: Counter[bytes] = Counter()
        self.invalid: Counter[str] = Counter()
        self.stored: tuple[object, Counter[bytes], Counter[str]] | None = None
        self.source = self.made()

    def made(self) -> AuditFolder:
        self.clock = ManualClock()
        return AuditFolder(FileSource(str(self.pattern)), LIMIT, Clock(monotonic=self.clock))

    def read(self, max_lines: int = 1000) -> list[bytes]:
        self.clock.now += 1.0
        invalid = Invalid()
        lines = self.source.read(max_lines, invalid).lines
        self.lines.update(lines)
        self.invalid.update(invalid.counts)
        return lines

    def all(self) -> list[bytes]:
        goal = self.source.goal()
        found: list[bytes] = []
        while not self.source.has_reached(goal):
            found += self.read()
        return found

    def store(self) -> None:
        saved = json.loads(json.dumps(self.source.saved()))
        self.stored = saved, self.lines.copy(), self.invalid.copy()

    def kill(self) -> None:
        self.source.close()
        self.source = self.made()
        self.lines, self.invalid = Counter(), Counter()
        if self.stored is not None:
            saved, self.lines, self.invalid = self.stored[0], self.stored[1].copy(), self.stored[2].copy()
            self.source.resume(saved)


@pytest.fixture
def reader(tmp_path: Path):
    reader = Reader(tmp_path)
    yield reader
    reader.source.close()


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


class TestIsPattern:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [("/a/b.jsonl", False), ("/a/*.jsonl", True), ("/a/b-[0-9].log", True), ("/a*/b.log", False)],
    )
    def test_in_the_last_part(self, path, expected):
        assert is_pattern(path) is expected


class TestAuditFolder:
    def test_files_that_are_there_and_that_come(self, reader, tmp_path):
        append(tmp_path / "a.jsonl", "a1", "a2")
        append(tmp_path / "other.log", "x")
        assert reader.all() == [b"a1", b"a2"]
        append(tmp_path / "b.jsonl", "b1")
        append(tmp_path / "a.jsonl", "a3")
        assert sorted(reader.all()) == [b"a3", b"b1"]
        assert reader.source.problem() is None
        reader.read()
        assert reader.source.read(10, Invalid()).at_end

    def test_renamed_within_the_pattern_and_out_of_it(self, reader, tmp_path):
        """The file stays the one that it is; what has its path now is another."""
        append(tmp_path / "a.jsonl", "a1")
        reader.all()
        for name in ("a.1.jsonl", "a.jsonl.2"):
            append(tmp_path / "a.jsonl", f"last of {name}")
            (tmp_path / "a.jsonl").rename(tmp_path / name)
            append(tmp_path / "a.jsonl", f"first after {name}")
            reader.all()
        assert set(reader.lines.values()) == {1}
        assert len(reader.lines) == 5
        assert reader.invalid == {}

    def test_copied_and_cut(self, reader, tmp_path):
        """The copy is known; the file begins anew."""
        path = tmp_path / "a.jsonl"
        append(path, *(f"line {number}" for number in range(100)))
        reader.all()
        shutil.copy(path, tmp_path / "a.1.jsonl")
        os.truncate(path, 0)
        append(path, "new")
        reader.all()
        assert (len(reader.lines), set(reader.lines.values())) == (101, {1})
        assert reader.invalid == {"rotated": 1}

    def test_deleted_after_it_was_read(self, reader, tmp_path):
        append(tmp_path / "a.jsonl", "a")
        reader.all()
        (tmp_path / "a.jsonl").unlink()
        reader.read()
        assert reader.source.saved()["files"] == []
        assert reader.invalid == {}
        assert reader.source.problem() == f"{tmp_path}/*.jsonl: there is no such file yet"

    def test_another_goes_on(self, reader, tmp_path):
        append(tmp_path / "a.jsonl", "a1")
        append(tmp_path / "b.jsonl", "b1")
        reader.all()
        reader.store()
        append(tmp_path / "a.jsonl", "a2")
        (tmp_path / "a.jsonl").rename(tmp_path / "a.jsonl.1")
        append(tmp_path / "a.jsonl", "a3")
        reader.kill()
        assert sorted(reader.all()) == [b"a2", b"a3"]

    def test_one_path_becomes_a_pattern_and_back(self, reader, tmp_path):
        """What was read stays read."""
        path = tmp_path / "a.jsonl"
        append(path, "a1")
        one = AuditFiles(FileSource(str(path)), LIMIT)
        assert one.read(10, Invalid()).lines == [b"a1"]
        reader.source.resume(one.saved())
        append(path, "a2")
        assert reader.all() == [b"a2"]
        again = AuditFiles(FileSource(str(path)), LIMIT)
        again.resume(reader.source.saved())
        append(path, "a3")
        assert again.read(10, Invalid()).lines == [b"a3"]
        one.close()
        again.close()

    def test_many_files_take_few_descriptors(self, reader, tmp_path):
        before = len(list(Path("/dev/fd").iterdir()))
        for number in range(3 * MOST_OPEN):
            append(tmp_path / f"{number}.jsonl", f"line {number}")
        assert len(reader.all()) == 3 * MOST_OPEN
        assert len(list(Path("/dev/fd").iterdir())) <= before + MOST_OPEN + 1

    def test_no_file_starves(self, reader, tmp_path):
        """A file that always has more does not keep the others from being read."""
        append(tmp_path / "busy.jsonl", *map(str, range(1000)))
        append(tmp_path / "quiet.jsonl", "quiet")
        for _ in range(20):
            append(tmp_path / "busy.jsonl", *map(str, range(10)))
            reader.read(10)
        assert reader.lines[b"quiet"] == 1


class TestLife:
    def test_every_line_once(self, tmp_path):
        """Three programs write, their files are renamed and deleted once read, the reader is killed."""
        draw = random.Random(random.random())
        reader = Reader(tmp_path)
        written: list[bytes] = []
        for step in range(400):
            name = draw.choice("abc")
            path = tmp_path / f"{name}.jsonl"
            match draw.randrange(10):
                case 0 | 1 | 2 | 3:
                    lines = [f"{name} {step} {index}" for index in range(draw.randrange(1, 5))]
                    append(path, *lines)
                    written += [line.encode() for line in lines]
                case 4 if path.exists():
                    reader.all()
                    reader.store()
                    path.rename(tmp_path / draw.choice([f"{name}-{step}.jsonl", f"{name}.jsonl.{step}"]))
                case 5:
                    reader.all()
                    reader.store()
                    for old in tmp_path.glob(f"{name}?*{draw.randrange(10)}*"):
                        old.unlink()
                case 6:
                    reader.store()
                case 7:
                    reader.kill()
                case _:
                    reader.read(draw.randrange(1, 4))
        reader.all()
        reader.source.close()
        assert reader.lines == Counter(written)
