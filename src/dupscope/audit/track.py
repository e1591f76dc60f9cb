"""One path that an agent follows: what was read of it, and how much of that was acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from dupscope.audit.files import FileLines, file_lines
from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid

READ_BYTES = 256 << 10
"""How much is read at once, or a line of the greatest length: an agent is small."""


@dataclass(eq=False, slots=True)
class Batch:
    """Lines of one read: how many are not acknowledged, how many bytes, and the position behind them."""

    waiting: int
    nbytes: int
    behind: AuditPosition

    def acknowledged(self) -> None:
        """One more is."""
        self.waiting -= 1


class Track:
    """Reads on while what was read before is on its way; `acknowledged` is where a new process begins."""

    def __init__(self, path: str, max_line_bytes: int, position: AuditPosition) -> None:
        self.path = path
        self.acknowledged = position
        self._max_line_bytes = max_line_bytes
        self._batches: deque[Batch] = deque()
        self._held: tuple[FileLines, Batch] | None = None
        self._file = self._opened()

    def read(self, max_lines: int, invalid: Invalid) -> tuple[FileLines, Batch] | None:
        """The next lines. Each is to be acknowledged, and one more that stands for the read itself.

        The first lines of another file come once all of the one before are acknowledged, None until then.
        With them `acknowledged` moves to that file's beginning, and is to be stored before any of them is
        shipped: a file that was renamed is found by what is stored of it.
        """
        found, batch = self._held or self._read(max_lines, invalid)
        self._held = None
        if batch.behind.name != self.acknowledged.name and batch.behind.offset:
            if self._batches:
                self._held = found, batch
                return None
            self.acknowledged = replace(batch.behind, offset=0)
        if batch.nbytes:
            self._batches.append(batch)
        return found, batch

    def _read(self, max_lines: int, invalid: Invalid) -> tuple[FileLines, Batch]:
        before = self._file.position
        lines = self._file.read(max_lines, invalid)
        behind = self._file.position
        found = file_lines(self.path, self._file, lines, at_end=behind == before)
        begin = before.offset if behind.inode == before.inode and behind.offset >= before.offset else 0
        return found, Batch(len(lines) + 1, behind.offset - begin, behind)

    def give_back(self, batch: Batch, lines: FileLines, index: int) -> None:
        """Read the lines from this one on again: there was no room for them."""
        begin = lines.ends[index] - len(lines.lines[index]) - 1
        batch.waiting -= len(lines.lines) - index
        batch.nbytes -= batch.behind.offset - begin
        batch.behind = self._file.position = replace(batch.behind, offset=begin)

    def settle(self) -> bool:
        """Move on behind what was acknowledged, in order. True if that moved."""
        before = self.acknowledged
        while self._batches and not self._batches[0].waiting:
            self.acknowledged = self._batches.popleft().behind
        return self.acknowledged != before

    def rewind(self) -> None:
        """Read again what was not acknowledged."""
        self._file.close()
        self._batches.clear()
        self._held = None
        self._file = self._opened()

    @property
    def behind_bytes(self) -> int:
        """Bytes of whole lines that were not acknowledged."""
        unread = max(0, self._file.size() - self._file.offset)
        return unread + sum(batch.nbytes for batch in self._batches)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was read is acknowledged."""
        return not self._batches and self._held is None

    def close(self) -> None:
        """Give up the file."""
        self._file.close()

    def _opened(self) -> FollowedFile:
        followed = FollowedFile(self.path, self._max_line_bytes, READ_BYTES)
        followed.position = self.acknowledged
        return followed
