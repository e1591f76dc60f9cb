"""Where reading of a file stands, and which file that is."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from xxhash import xxh3_64_hexdigest

from dupscope.model.plain import Plain

HEAD_BYTES = 256
"""Of what was read, the first bytes tell a file from others. Lines tell times, so that they differ."""

NAMING_BYTES = 4096
"""Of the first line, as much gives a file its name."""


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """A place in one file, that can be told from others also under another name.

    offset  bytes that were read
    device  the file's; 0 where none was open yet. May change when a volume is mounted anew
    inode   the file's; 0 where none was open yet. May come back as another file's once this one is deleted
    head    number and digest of the file's first bytes, at most `HEAD_BYTES` and none that were not read
    name    tells the file from all others, also when it is renamed or copied: its first inode, and
            a digest of its first line; "" until that was read
    """

    offset: int = 0
    device: int = 0
    inode: int = 0
    head: str = ""
    name: str = ""

    def fits(self, descriptor: int) -> bool:
        """Whether an open file is the one of which so much was read, and still holds that. Raises OSError."""
        found = os.fstat(descriptor)
        is_known = found.st_ino == self.inode and (found.st_dev == self.device or bool(self.head))
        return is_known and found.st_size >= self.offset and self._has_head(descriptor)

    def resembles(self, descriptor: int) -> bool:
        """Whether an open file holds what was read, under another inode: a copy that took its place.

        Only where the head is whole: shorter beginnings can be those of other logs. Raises OSError.
        """
        is_whole = self.head.startswith(f"{HEAD_BYTES}:")
        return is_whole and os.fstat(descriptor).st_size >= self.offset and self._has_head(descriptor)

    def of(self, descriptor: int) -> AuditPosition:
        """The same place in another file, which is open. Raises OSError."""
        found = os.fstat(descriptor)
        return replace(self, device=found.st_dev, inode=found.st_ino)

    def moved(self, descriptor: int, offset: int) -> AuditPosition:
        """Another place in the same file, which is open. Raises OSError."""
        length = min(offset, HEAD_BYTES)
        name = self.name or (_name(descriptor, self.inode) if offset else "")
        if self.head.startswith(f"{length}:"):
            return replace(self, offset=offset, name=name)
        return replace(self, offset=offset, head=_head(descriptor, length) if length else "", name=name)

    def tree(self) -> list[Plain]:
        """The position as plain values."""
        return [self.offset, self.device, self.inode, self.head, self.name]

    @classmethod
    def from_tree(cls, tree: list[Any]) -> AuditPosition:
        """The position that a tree was made of; one of before files had names has none yet."""
        return cls(*tree)

    def _has_head(self, descriptor: int) -> bool:
        length = self.head.partition(":")[0]
        return not length or _head(descriptor, int(length)) == self.head


def begin_of(descriptor: int) -> AuditPosition:
    """The position of a file, which is open, of which nothing was read. Raises OSError."""
    found = os.fstat(descriptor)
    return AuditPosition(0, found.st_dev, found.st_ino)


def _head(descriptor: int, length: int) -> str:
    return f"{length}:{xxh3_64_hexdigest(os.pread(descriptor, length, 0))}"


def _name(descriptor: int, inode: int) -> str:
    first = os.pread(descriptor, NAMING_BYTES, 0).partition(b"\n")[0]
    return f"{inode}-{xxh3_64_hexdigest(first)}"
