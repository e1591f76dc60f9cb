"""How far an agent's files were shipped, in one small file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from dupscope.audit.position import AuditPosition

STATE_FILE = "agent.json"
VERSION = 1


class DamagedStateError(Exception):
    """The file is not what was written."""


class AgentState:
    """Positions by path. What is written replaces what was there, as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE

    def load(self) -> dict[str, AuditPosition]:
        """What was written last, nothing at first. Raises DamagedStateError, after it was set aside."""
        try:
            return _positions(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            with suppress(OSError):
                self._path.replace(self._path.with_suffix(".damaged"))
            raise DamagedStateError(f"{self._path}: {type(error).__name__}") from None

    def save(self, positions: Mapping[str, AuditPosition]) -> None:
        """Write. Raises OSError; what was there stays then."""
        files = {path: position.tree() for path, position in positions.items()}
        text = json.dumps({"version": VERSION, "files": files, "digest": _digest(files)})
        written = self._path.with_suffix(".new")
        with written.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._path)


def _positions(text: bytes) -> dict[str, AuditPosition]:
    document = json.loads(text)
    if document["version"] != VERSION or document["digest"] != _digest(document["files"]):
        raise ValueError("its digest or version is another one")
    return {path: AuditPosition.from_tree(tree) for path, tree in document["files"].items()}


def _digest(files: object) -> str:
    return xxh3_64_hexdigest(json.dumps(files, sort_keys=True).encode())
