"""Lines that were shipped more than once: what is remembered, so that each counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from dupscope.model.plain import Plain

MOST_FILES = 10_000
FORGET_MS = 7 * 24 * 3600 * 1000
MOST_RECENT = 16_384


@dataclass(slots=True)
class _File:
    """When it was last seen (ms since 1970), and the ends of its first and last line by partition slot."""

    at_ms: int = 0
    ends: dict[int, tuple[int, int]] = field(default_factory=dict)


class FileEnds:
    """How far files were shipped, for shippers that send the lines of a file to one partition, in order.

    A line is known where it ends at or below the highest end seen in its partition. After partitions were
    added, a file's lines go to another one: there, what lies in the span that was seen elsewhere is known.
    A file that was forgotten (`forget`) and comes back is a new one: what of it was read before and is
    shipped once more is not known.
    """

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def is_known(self, file: str, slot: int, end: int, at_ms: int) -> bool:
        """Whether a line was seen before; it is from now on."""
        seen = self._files.pop(file, None) or _File()
        self._files[file] = seen  # the one seen last is the last one
        seen.at_ms = max(seen.at_ms, at_ms)
        first, last = seen.ends.get(slot, (end, -1))
        if end <= last or any(other <= end <= highest for other, highest in seen.ends.values()):
            return True
        seen.ends[slot] = first, end
        return False

    def forget(self, now_ms: int) -> None:
        """Forget files of which nothing was seen for `FORGET_MS`, and the oldest beyond `MOST_FILES`."""
        for file, seen in list(self._files.items()):
            if len(self._files) <= MOST_FILES and seen.at_ms >= now_ms - FORGET_MS:
                return
            del self._files[file]

    def tree(self) -> Plain:
        """The state as plain values."""
        return {file: [seen.at_ms, _pairs(seen)] for file, seen in self._files.items()}

    def resume(self, tree: dict[str, Any]) -> None:
        """Take up the state that a tree was made of."""
        self._files = {
            file: _File(at_ms, {slot: (first, last) for slot, (first, last) in ends.items()})
            for file, (at_ms, ends) in tree.items()
        }


class RecentLines:
    """The last `MOST_RECENT` lines by file, offset and content, for shippers that promise no order.

    Their files have no identity that outlasts a rotation: a new file begins at 0 under the name of the old
    one. So offsets alone would hide new lines; lines that are equal in all three are one.
    """

    def __init__(self) -> None:
        self._digests: dict[int, None] = {}

    def is_known(self, file: bytes, offset: int, line: bytes) -> bool:
        """Whether a line was seen before; it is from now on."""
        digest = xxh3_64_intdigest(b"%d\0%b\0%b" % (offset, file, line))
        is_known = digest in self._digests
        self._digests.pop(digest, None)
        self._digests[digest] = None
        if len(self._digests) > MOST_RECENT:
            del self._digests[next(iter(self._digests))]
        return is_known

    def tree(self) -> Plain:
        """The state as plain values."""
        return np.fromiter(self._digests, np.uint64, len(self._digests))

    def resume(self, tree: Any) -> None:  # noqa: ANN401 - what `tree` gave
        """Take up the state that a tree was made of."""
        self._digests = dict.fromkeys(tree.tolist())


def _pairs(seen: _File) -> Plain:
    return {slot: list(ends) for slot, ends in seen.ends.items()}
