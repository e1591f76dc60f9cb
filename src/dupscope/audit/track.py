"""One path that an agent follows: what was read of it, and how much of that was acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from dupscope.audit.files import FileLines, file_lines
from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid


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
        self._file = self._opened()

    def read(self, max_lines: int, invalid: Invalid) -> tuple[FileLines, Batch]:
        """The next lines. Each is to be acknowledged, and one more that stands for the read itself."""
        before = self._file.position
        lines = self._file.read(max_lines, invalid)
        behind = self._file.position
        found = file_lines(self.path, self._file, lines, at_end=behind == before)
        batch = Batch(len(lines) + 1, max(0, behind.offset - before.offset), behind)
        if behind != before:
            self._batches.append(batch)
        return found, batch

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
        self._file = self._opened()

    @property
    def behind_bytes(self) -> int:
        """Bytes of whole lines that were not acknowledged."""
        unread = max(0, self._file.size() - self._file.offset)
        return unread + sum(batch.nbytes for batch in self._batches)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was read is acknowledged."""
        return not self._batches

    def close(self) -> None:
        """Give up the file."""
        self._file.close()

    def _opened(self) -> FollowedFile:
        followed = FollowedFile(self.path, self._max_line_bytes)
        followed.position = self.acknowledged
        return followed
