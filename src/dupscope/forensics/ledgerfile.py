"""The ledger file: one JSON line per case with more than one copy or effect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from dupscope.model.errors import ConfigError


class LedgerFile:
    """Writes lines to a file, or nowhere when there is no path. Replaces what was there."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigError([f"--ledger {path}: cannot be written: {error.strerror}"]) from error

    def write(self, lines: Iterable[dict[str, object]]) -> None:
        """Append lines."""
        if self._file is not None:
            self._file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)

    def close(self) -> None:
        """Flush and close."""
        if self._file is not None:
            self._file.close()
            self._file = None
