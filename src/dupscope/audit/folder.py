"""Audit logs that are several files of one folder, by a pattern."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dupscope.audit.files import FileLines, file_lines
from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import NAMING_BYTES, AuditPosition, begin_of
from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.settings import FileSource
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.model.plain import Plain

LOOK_SECONDS = 1.0
FILES_A_READ = 200
MOST_OPEN = 64
MOST_DONE = 1000
"""Files that are gone or were cut: copies of as many are recognised."""
_PATTERN = frozenset("*?[")


def is_pattern(path: str) -> bool:
    """Whether the last part of a path stands for several files."""
    return not _PATTERN.isdisjoint(Path(path).name)


@dataclass(eq=False, slots=True)
class _Member:
    path: str
    file: FollowedFile


class AuditFolder:
    """Follows each file that the pattern finds, under whatever name it has later. For one thread.

    Files are read in turn, those that are found first before others, each in its order. A file that is found
    under another name, or as a copy, is the one that is known already.
    """

    def __init__(self, settings: FileSource, max_line_bytes: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._pattern = Path(settings.path)
        self._max_line_bytes = max_line_bytes
        self._clock = clock
        self._members: deque[_Member] = deque()
        self._done: deque[AuditPosition] = deque(maxlen=MOST_DONE)
        self._decided: dict[str, tuple[int, int]] = {}
        self._cut: list[str] = []
        self._quiet = 0
        self._looked_at = -LOOK_SECONDS

    def read(self, max_lines: int, invalid: Invalid) -> FileLines:
        """Lines of the next file that has some."""
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._look()
        while self._cut:
            invalid.add(InvalidReason.ROTATED, self._cut.pop())
        for _ in range(min(len(self._members), FILES_A_READ)):
            member = self._members[0]
            self._members.rotate(-1)
            found = self._read(member, max_lines, invalid)
            if found is not None:
                self._quiet = 0
                return found
            self._quiet += 1
        return FileLines([], at_end=self._quiet >= len(self._members))

    def goal(self) -> dict[_Member, int]:
        """Bytes up to the last whole line of each file that is there now."""
        self._look()
        goal = {member: member.file.size() for member in self._members}
        self._close_some()
        return goal

    def has_reached(self, goal: dict[_Member, int]) -> bool:
        """Whether so much was read of each, or is lost."""
        present = set(self._members)
        return all(member not in present or member.file.offset >= size for member, size in goal.items())

    def problem(self) -> str | None:
        """Why nothing can be read now."""
        if not self._pattern.parent.is_dir():
            return f"{self._pattern}: there is no such folder yet"
        return None if self._members else f"{self._pattern}: there is no such file yet"

    def saved(self) -> Plain:
        """The position in each file, and of those that are over."""
        return {
            "files": [[member.path, member.file.position.tree()] for member in self._members],
            "done": [position.tree() for position in self._done],
        }

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on there. Also where there was one file only, and no pattern, before."""
        if isinstance(saved, dict):
            self._done.extend(map(AuditPosition.from_tree, saved["done"]))
            files = [(path, AuditPosition.from_tree(tree)) for path, tree in saved["files"]]
        else:
            files = [(str(self._pattern), AuditPosition.from_tree(saved))]
        self._members.extend(self._member(path, position) for path, position in files if position.inode)

    def close(self) -> None:
        """Give up all files."""
        for member in self._members:
            member.file.close()

    # ------------------------------------------------------------------ files

    def _read(self, member: _Member, max_lines: int, invalid: Invalid) -> FileLines | None:
        before = member.file.position
        lines = member.file.read(max_lines, invalid)
        self._close_some(member)
        if member.file.position == before:
            return None
        return file_lines(member.path, member.file, lines, at_end=False)

    def _close_some(self, *members: _Member) -> None:
        """Where there are many files none stays open, these or all."""
        if len(self._members) > MOST_OPEN:
            for member in members or self._members:
                member.file.close()

    def _look(self) -> None:
        """Take up files that are new, and give up those that were cut, or are gone and were read."""
        for member in [member for member in self._members if not member.file.is_there]:
            self._cut += [member.path] if member.file.position.offset else []
            self._give_up(member)
        for member in [member for member in self._members if member.file.is_over]:
            self._give_up(member)
        self._close_some()
        with suppress(OSError):
            for path in sorted(self._pattern.parent.glob(self._pattern.name), key=_age):
                self._decide(str(path))

    def _give_up(self, member: _Member) -> None:
        if member.file.position.offset:
            self._done.append(member.file.position)
        member.file.close()
        self._members.remove(member)
        self._decided.clear()

    def _decide(self, path: str) -> None:
        """Whether what has a path is known. Asked once, until another file has the path or one was cut."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return
        try:
            found = os.fstat(descriptor)
            who = found.st_dev, found.st_ino
            if self._decided.get(path) != who and _has_line(descriptor):
                self._decided[path] = who
                if not self._is_known(descriptor):
                    self._members.append(self._member(path, begin_of(descriptor)))
        finally:
            os.close(descriptor)

    def _is_known(self, descriptor: int) -> bool:
        positions: Sequence[AuditPosition] = [member.file.position for member in self._members]
        return any(
            position.fits(descriptor) or position.resembles(descriptor)
            for position in (*positions, *self._done)
        )

    def _member(self, path: str, position: AuditPosition) -> _Member:
        file = FollowedFile(path, self._max_line_bytes, is_pinned=True)
        file.position = position
        return _Member(path, file)


def _has_line(descriptor: int) -> bool:
    """Whether a file can be told from others: it has a whole line, or much of one."""
    first = os.pread(descriptor, NAMING_BYTES, 0)
    return b"\n" in first or len(first) == NAMING_BYTES


def _age(path: Path) -> tuple[float, str]:
    """Older files first, as far as that is known."""
    try:
        return path.stat().st_mtime, str(path)
    except OSError:
        return 0.0, str(path)
