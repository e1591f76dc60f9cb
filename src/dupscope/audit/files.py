"""Audit logs that are files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import FileSource
from dupscope.audit.source import Lines
from dupscope.model.plain import Plain


@dataclass(frozen=True, slots=True)
class FileLines(Lines):
    """Lines of one file.

    file  the file's name among all files, see `AuditPosition`
    ends  where each line ends, behind its newline
    """

    file: str = ""
    ends: Sequence[int] = ()


def file_lines(path: str, followed: FollowedFile, lines: list[bytes], *, at_end: bool) -> FileLines:
    """What the last read of a followed file gave."""
    ends = list(accumulate((len(line) + 1 for line in lines), initial=followed.begin))

    def place(index: int) -> str:
        return f"{path}, byte {ends[index]}"

    return FileLines(lines, place, at_end, file=followed.position.name, ends=ends[1:])


class AuditFiles:
    """Follows a file that lines are appended to. A file that does not exist has no lines yet."""

    def __init__(self, settings: FileSource, max_line_bytes: int) -> None:
        self._path = Path(settings.path)
        self._file = FollowedFile(settings.path, max_line_bytes)

    def read(self, max_lines: int, invalid: Invalid) -> FileLines:
        """Lines that were not read before."""
        before = self._file.position
        lines = self._file.read(max_lines, invalid)
        return file_lines(str(self._path), self._file, lines, at_end=self._file.position == before)

    def goal(self) -> int:
        """Bytes up to the last whole line."""
        return self._file.size()

    def has_reached(self, goal: int) -> bool:
        """Whether so much was read, or is lost."""
        return self._file.offset >= goal

    def problem(self) -> str | None:
        """Why the file cannot be read now."""
        what = _problem(self._path)
        return what and f"{self._path}: {what}"

    def saved(self) -> Plain:
        """The position."""
        return self._file.position.tree()

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on there: in a file that was renamed since to its end, then in the one that has the path."""
        if not isinstance(saved, dict):
            self._file.position = AuditPosition.from_tree(saved)
            return
        with suppress(OSError):  # the path was a pattern before
            inode = self._path.stat().st_ino
            positions = [AuditPosition.from_tree(tree) for _, tree in saved["files"]]
            found = [position for position in positions if position.inode == inode]
            self._file.position = found[0] if found else self._file.position

    def close(self) -> None:
        """Give up the file."""
        self._file.close()


def _problem(path: Path) -> str | None:
    if not path.exists():
        return "there is no such file yet"
    if not path.is_file():
        return "is no file"
    return None if os.access(path, os.R_OK) else "may not be read"
