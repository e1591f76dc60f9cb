"""The number of the last commit, beside the database, which takes a damaged log for a shorter one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dupscope.store.resets import number_in

WITNESS_FILE = "last_commit"


class Witness:
    """A number in a file, written after the commit and never synced: it is not ahead of a sound database.

    It only serves to say that commits are gone. What cannot be read counts as 0; it is best effort.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / WITNESS_FILE

    @property
    def seq(self) -> int:
        """The last commit that it saw, 0 where it saw none."""
        return number_in(self._path)

    def note(self, seq: int) -> None:
        """There is a commit of this number."""
        with suppress(OSError):
            self._path.write_text(f"{seq}\n", "ascii")

    def forget(self) -> None:
        """Another database begins."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
