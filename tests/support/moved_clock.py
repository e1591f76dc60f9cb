"""The wall clock of the program under test."""

from __future__ import annotations

from support import shifted
from support.fault_case import FaultCase


class MovedClock:
    """A program of `case` whose time of day is what `step` says, from its start on."""

    def __init__(self, case: FaultCase, seconds: float = 0) -> None:
        self._file = case.folder / "offset"
        self.step(seconds)
        case.runs.script(shifted.__file__, str(self._file))

    def step(self, seconds: float) -> None:
        """Move the clock to so many seconds after the real one; before it, if less than 0."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)
