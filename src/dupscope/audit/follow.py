"""Lines of a file that another program appends to."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from os.path import samestat
from pathlib import Path

from dupscope.audit.position import AuditPosition, begin_of
from dupscope.audit.reasons import Invalid, InvalidReason

_READ_BYTES = 8 << 20
_NEWLINE = b"\n"


class FollowedFile:
    """Gives whole lines only: what lacks its newline is read again until it has one.

    A file that was renamed is read to its end, before the one that has its path now is begun. Where the next
    read begins is `position`; what else the class knows can be found again from it, so that a reader that
    begins there goes on as this one would. One that is pinned reads the file of its position and no other.
    """

    def __init__(
        self, path: str, max_line_bytes: int, read_bytes: int = _READ_BYTES, *, is_pinned: bool = False
    ) -> None:
        self.position = AuditPosition()
        self.begin = 0
        """Where the first line of the last read begins."""
        self._path = path
        self._is_pinned = is_pinned
        self._max_line_bytes = max_line_bytes
        self._read_bytes = max(read_bytes, max_line_bytes + len(_NEWLINE) + 1)
        self._file: int | None = None
        self._passed = 0
        self._told = 0

    def read(self, max_lines: int, invalid: Invalid) -> list[bytes]:
        """At most so many lines, without their newlines. What could not be read is counted in `invalid`.

        No line means that there is none yet, or that a part of one too long was passed.
        """
        try:
            return self._read(max_lines, invalid)
        except OSError:
            invalid.add(InvalidReason.UNREADABLE, self._path)
            return []

    @property
    def offset(self) -> int:
        """Bytes read, or lost, of the file and of those that had its path before. Never falls."""
        return self._passed + self.position.offset

    def size(self) -> int:
        """The offset behind the last whole line as of now."""
        try:
            is_whole = self._is_open() and self.position.fits(self._descriptor)
            end = self._end(self._descriptor) if is_whole else self.position.offset
            following = 0 if is_whole and not self._is_replaced() else self._end_at_path()
        except OSError:
            return self.offset
        self._told = max(self._told, self._passed + end + following)
        return self._told

    @property
    def is_there(self) -> bool:
        """Whether the file of the position can be read, under whatever name."""
        try:
            return self._is_open() and self.position.fits(self._descriptor)
        except OSError:
            return False

    @property
    def is_over(self) -> bool:
        """Whether the file was deleted, and read to its end before."""
        try:
            found = os.fstat(self._descriptor) if self._is_open() else None
        except OSError:
            return False
        return found is not None and not found.st_nlink and found.st_size <= self.position.offset

    def close(self) -> None:
        """Give up the file. The next read opens it again, wherever it is then."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # ------------------------------------------------------------------ lines

    def _read(self, max_lines: int, invalid: Invalid) -> list[bytes]:
        if not self._is_open() and (self._is_pinned or not self._begin(invalid)):
            return self._nothing_left()
        if not self.position.fits(self._descriptor):
            if self._is_pinned:
                return self._nothing_left()
            self._begin_with(self._descriptor, invalid)
        before, lines = self.position, self._take(max_lines, invalid)
        if self.position != before:
            return lines
        return self._take_last(max_lines, invalid) if self._is_replaced() else self._nothing_left()

    def _nothing_left(self) -> list[bytes]:
        """All was read: what a size has promised beyond is gone."""
        self._passed = max(self._passed, self._told - self.position.offset)
        return []

    def _take(self, max_lines: int, invalid: Invalid) -> list[bytes]:
        offset, appended = self._unread()
        self.begin = offset
        *lines, torn = appended.split(_NEWLINE, max_lines)
        if not lines and len(torn) > self._max_line_bytes:
            invalid.add(InvalidReason.OVERSIZE, self._path)
            torn = b""
        self.position = self.position.moved(self._descriptor, offset + len(appended) - len(torn))
        return lines

    def _take_last(self, max_lines: int, invalid: Invalid) -> list[bytes]:
        """Lines of a file that another one has replaced, or else the first lines of that.

        A program that writes to the new one has written its last line to the old one.
        """
        before, lines = self.position, self._take(max_lines, invalid)
        if self.position == before and self._begin(invalid):
            lines = self._take(max_lines, invalid)
        return lines

    def _unread(self) -> tuple[int, bytes]:
        """Where the next line begins, and bytes from there on. Within a line too long, behind that."""
        offset = self.position.offset
        if not offset:
            return 0, os.pread(self._descriptor, self._read_bytes, 0)
        appended = os.pread(self._descriptor, self._read_bytes, offset - 1)
        if appended.startswith(_NEWLINE) or not appended:
            return offset, appended[1:]
        rest, newline, others = appended[1:].partition(_NEWLINE)
        return offset + len(rest) + len(newline), others

    def _end(self, descriptor: int) -> int:
        """Behind the last whole line of an open file."""
        end = os.fstat(descriptor).st_size
        begin = max(0, end - self._max_line_bytes - 1)
        last = os.pread(descriptor, end - begin, begin).rfind(_NEWLINE)
        if last < 0:
            return end if begin else 0
        return begin + last + 1

    def _end_at_path(self) -> int:
        descriptor = _opened(self._path)
        if descriptor is None:
            return 0
        try:
            return self._end(descriptor)
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------ files

    def _is_open(self) -> bool:
        """Whether the file of the position is open, now or since before; the first is the one at the path."""
        if self._file is None:
            self._file = self._found() if self.position.inode else _opened(self._path)
            if self._file is not None and not self.position.inode:
                self.position = begin_of(self._file)
        return self._file is not None

    def _found(self) -> int | None:
        """The file of the position, opened, under its path or another name; or a copy of it at its path."""
        found = self._fitting(self._path)
        if found is not None:
            return found
        copied = self._copied()
        if copied is not None:
            return copied
        for path in self._renamed():
            with suppress(OSError):
                found = self._fitting(path)
            if found is not None:
                return found
        return None

    def _copied(self) -> int | None:
        """The file at the path, opened, if it is a copy of the position's, which has taken its place."""
        descriptor = _opened(self._path)
        if descriptor is None:
            return None
        if not self.position.resembles(descriptor):
            os.close(descriptor)
            return None
        self.position = self.position.of(descriptor)
        return descriptor

    def _fitting(self, path: str) -> int | None:
        """A file, opened, if it is the one of the position."""
        descriptor, fits = _opened(path), False
        if descriptor is None:
            return None
        try:
            fits = self.position.fits(descriptor)
        finally:
            if not fits:
                os.close(descriptor)
        return descriptor if fits else None

    def _renamed(self) -> list[str]:
        """Files beside the path that may be the one of the position: something of it must be known."""
        if not self.position.head:
            return []
        with suppress(OSError), os.scandir(Path(os.path.realpath(self._path)).parent) as entries:
            return [entry.path for entry in entries if entry.inode() == self.position.inode]
        return []

    def _is_replaced(self) -> bool:
        """Whether another file has the path now, and holds something, and is to be read."""
        if self._is_pinned:
            return False
        try:
            found = Path(self._path).stat()
        except FileNotFoundError:
            return False
        return found.st_size > 0 and not samestat(found, os.fstat(self._descriptor))

    def _begin(self, invalid: Invalid) -> bool:
        """Begin the file that has the path now; false where there is none."""
        descriptor = _opened(self._path)
        if descriptor is None:
            return False
        if self.position.resembles(descriptor):
            self.close()
            self._file, self.position = descriptor, self.position.of(descriptor)
            return True
        self.close()
        self._begin_with(descriptor, invalid)
        return True

    def _begin_with(self, descriptor: int, invalid: Invalid) -> None:
        """Begin an open file at its start. What the one before still held is lost."""
        invalid.add(InvalidReason.ROTATED, self._path)
        self._passed += self.position.offset
        self._file, self.position = descriptor, begin_of(descriptor)

    @property
    def _descriptor(self) -> int:
        assert self._file is not None, "the file is open"
        return self._file


def _opened(path: str) -> int | None:
    """A file, opened for reading; None where there is none. Raises OSError if it cannot be read as a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a file")
    return descriptor
