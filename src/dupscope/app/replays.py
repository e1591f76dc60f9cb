"""Declared replays, re-read while running: an operator announces one and need not restart anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from dupscope.config.load import load_replays
from dupscope.model.errors import ConfigError
from dupscope.model.replay import Replay

Replays = Mapping[str, tuple[Replay, ...]]
"""By pipeline."""


class DeclaredReplays:
    """Watches the configuration file. What is wrong with it is logged once, and what held before holds on."""

    def __init__(self, file: Path, present: Replays) -> None:
        self._file = file
        self._present = present
        self._seen = self._stamp()
        self._log = structlog.get_logger()

    def refresh(self) -> Replays:
        """The replays that are declared now; reads the file only when it has changed."""
        stamp = self._stamp()
        if stamp is not None and stamp != self._seen:
            self._seen = stamp
            self._read()
        return self._present

    def _read(self) -> None:
        try:
            declared = load_replays(self._file)
        except ConfigError as error:
            self._log.warning("replays_kept", problems=error.problems)
            return
        if declared != self._present:
            self._present = declared
            count = sum(len(replays) for replays in declared.values())
            self._log.info("replays_declared", count=count)

    def _stamp(self) -> tuple[int, int, int] | None:
        """What changes with the file; None while it is absent, as when an editor replaces it."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
