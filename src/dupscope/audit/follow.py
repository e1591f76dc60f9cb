"""Lines of a file that another program appends to."""

from __future__ import annotations

import os
import stat
from collections import Counter
from os.path import samestat
from pathlib import Path

from dupscope.audit.reasons import InvalidReason

_READ_BYTES = 8 << 20
_NEWLINE = b"\n"


class FollowedFile:
    """Gives whole lines only: what lacks its newline is read again until it has one.

    Where the next read begins is one number, `position`: a byte offset. What else the class knows can be
    found again from it, so that a reader that begins at a stored position goes on as this one would.
    """

    def __init__(self, path: str, max_line_bytes: int) -> None:
        self.position = 0
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._read_bytes = max(_READ_BYTES, max_line_bytes + len(_NEWLINE) + 1)
        self._file: int | None = None
        self._is_within_oversize = False

    def read(self, max_lines: int, invalid: Counter[str]) -> list[bytes]:
        """At most so many lines, without their newlines. What could not be read is counted in `invalid`.

        No line means that there is none yet, or that a part of one too long was passed.
        """
        try:
            if not self._is_open():
                return []
            self._check_cut(invalid)
            lines = self._take(max_lines, invalid)
            if not lines and self._is_replaced():
                self._restart(invalid)
                lines = self._take(max_lines, invalid) if self._is_open() else []
        except OSError:
            invalid[InvalidReason.UNREADABLE] += 1
            return []
        return lines

    def size(self) -> int:
        """The position behind the last whole line as of now; 0 while there is none."""
        try:
            if not self._is_open():
                return 0
            end = self._status().st_size
            begin = max(0, end - self._max_line_bytes - 1)
            last = os.pread(self._descriptor, end - begin, begin).rfind(_NEWLINE)
        except OSError:
            return 0
        if last < 0:
            return end if begin else 0
        return begin + last + 1

    def close(self) -> None:
        """Give up the file. The next read opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self, max_lines: int, invalid: Counter[str]) -> list[bytes]:
        appended = self._unread(invalid)
        *lines, torn = appended.split(_NEWLINE, max_lines)
        if not lines and len(torn) > self._max_line_bytes:
            invalid[InvalidReason.OVERSIZE] += 1
            self._is_within_oversize = True
            torn = b""
        self.position += len(appended) - len(torn)
        return lines

    def _unread(self, invalid: Counter[str]) -> bytes:
        """Bytes from the position on, which is moved to the start of a line if it is within one."""
        if not self.position:
            return os.pread(self._descriptor, self._read_bytes, 0)
        appended = os.pread(self._descriptor, self._read_bytes, self.position - 1)
        if appended.startswith(_NEWLINE) or not appended:
            return appended[1:]
        if not self._is_within_oversize:
            invalid[InvalidReason.ROTATED] += 1  # the position is none of this file's
        rest, newline, others = appended[1:].partition(_NEWLINE)
        self.position += len(rest) + len(newline)
        self._is_within_oversize = not newline
        return others

    def _check_cut(self, invalid: Counter[str]) -> None:
        if self._status().st_size < self.position:
            self.position = 0
            self._is_within_oversize = False
            invalid[InvalidReason.ROTATED] += 1

    def _is_replaced(self) -> bool:
        """Whether another file has the path now. The old one stays open until it is read to its end."""
        try:
            return not samestat(Path(self._path).stat(), self._status())
        except FileNotFoundError:
            return False

    def _restart(self, invalid: Counter[str]) -> None:
        self.close()
        self.position = 0
        self._is_within_oversize = False
        invalid[InvalidReason.ROTATED] += 1

    def _is_open(self) -> bool:
        """Whether there is a file, opened now or before. Raises OSError if it is no file that can be read."""
        if self._file is not None:
            return True
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(self._status().st_mode):
            self.close()
            raise OSError("not a file")
        return True

    @property
    def _descriptor(self) -> int:
        assert self._file is not None, "the file is open"
        return self._file

    def _status(self) -> os.stat_result:
        return os.fstat(self._descriptor)
