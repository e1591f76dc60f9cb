from __future__ import annotations

from pathlib import Path

import pytest

from dupscope.audit.files import AuditFiles
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import FileSource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def files(path: Path):
    files = AuditFiles(FileSource(str(path)), 100)
    yield files
    files.close()


class TestOneFile:
    def test_its_lines_with_their_places_and_ends(self, files: AuditFiles, path: Path) -> None:
        path.write_bytes(b"a\nbc\nd")
        lines = files.read(10, Invalid())
        assert (lines.lines, list(lines.ends)) == ([b"a", b"bc"], [2, 5])
        assert [lines.place(index) for index in (0, 1)] == [f"{path}, byte 0", f"{path}, byte 2"]

    def test_it_is_at_its_end_when_a_read_gives_nothing(self, files: AuditFiles, path: Path) -> None:
        path.write_bytes(b"a\nb\n")
        assert [files.read(1, Invalid()).at_end for _ in range(3)] == [False, False, True]

    def test_a_goal_is_reached_when_all_below_it_was_read(self, files: AuditFiles, path: Path) -> None:
        path.write_bytes(b"a\nb\nc")
        goal = files.goal()
        reached = []
        for _ in range(2):
            files.read(1, Invalid())
            reached.append(files.has_reached(goal))
        assert reached == [False, True]

    def test_another_goes_on_where_this_one_was(self, files: AuditFiles, path: Path) -> None:
        path.write_bytes(b"a\nb\n")
        files.read(1, Invalid())
        other = AuditFiles(FileSource(str(path)), 100)
        other.resume(files.saved())
        assert other.read(10, Invalid()).lines == [b"b"]
        other.close()


class TestProblem:
    def test_none(self, files: AuditFiles, path: Path) -> None:
        path.touch()
        assert files.problem() is None

    def test_no_file_yet(self, files: AuditFiles, path: Path) -> None:
        assert files.problem() == f"{path}: there is no such file yet"

    def test_no_file_at_all(self, files: AuditFiles, path: Path) -> None:
        path.mkdir()
        assert files.problem() == f"{path}: is no file"
