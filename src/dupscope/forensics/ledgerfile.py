"""The ledger file: one JSON line per case with more than one copy or effect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from dupscope.model.errors import ConfigError


class LedgerFile:
    """Writes lines to a file, or nowhere when there is no path. Replaces what was there.

    A file that cannot be written any more (a full disk) ends the file, not the run: `problem` says why.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.problem: str | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigError([f"--ledger {path}: cannot be written: {error.strerror}"]) from error

    def write(self, lines: Iterable[dict[str, object]]) -> None:
        """Append lines; they are with the operating system when this returns."""
        if self._file is None:
            return
        try:
            for line in lines:
                self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._give_up(error)
            self._file = None

    def _give_up(self, error: OSError) -> None:
        self.problem = f"--ledger {self._path}: cannot be written: {error.strerror}; lines are missing"
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
