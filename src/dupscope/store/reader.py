"""The reader's side of a state folder: works beside the writer, without its lock, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from dupscope.model.finding import Finding
from dupscope.store import database
from dupscope.store.contents import Contents
from dupscope.store.findings import FindingTable

FOREVER_MS = 1 << 62


class StoreReader:
    """What was committed when it was opened. Raises StoreError where there is no store that it can read."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / database.DATABASE_FILE
        self._connection = database.connect_reader(folder)
        try:
            with database.believed(self._path):
                self._connection.execute("BEGIN")
                self.contents = Contents(self._connection)
                self._findings = FindingTable(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def findings(self, since_ms: int = 0, until_ms: int = FOREVER_MS) -> Iterator[Finding]:
        """Findings by the time of their detection, oldest first; `until_ms` is not included."""
        with database.believed(self._path):
            for new in self._findings.between(since_ms, until_ms):
                yield new.finding

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the file."""
        self._connection.close()
