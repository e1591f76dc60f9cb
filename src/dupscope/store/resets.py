"""How often a store had to be begun anew: counted beside the database, which may be what was lost."""

from __future__ import annotations

from pathlib import Path

RESETS_FILE = "resets"


class ResetCount:
    """A number in a file. What cannot be read counts as 0, what cannot be written is kept in memory.

    The file is there from the first commit on: where it lies, there must be a database with commits.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESETS_FILE
        self.value = number_in(self._path)

    @property
    def is_there(self) -> bool:
        """Whether anything was ever committed in this folder."""
        return self._path.exists()

    def increase(self) -> None:
        """One more."""
        self.value += 1
        self._write()

    def keep(self) -> None:
        """Write the file where it is not there."""
        if not self.is_there:
            self._write()

    def _write(self) -> None:
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(f"{self.value}\n", "ascii")
            draft.replace(self._path)
        except OSError:
            return


def number_in(path: Path) -> int:
    """The number that is all a file holds, 0 where there is none."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0
