"""One writer: a lock on the state folder that names its holder and dies with it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from os.path import samestat
from pathlib import Path

from dupscope.model.errors import StoreError

LOCK_FILE = "lock"


class WriterLock:
    """Held from its making until `release`, or until the process is gone, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raise StoreError where somebody else holds it, or where the folder cannot be written."""
        self._path = folder / LOCK_FILE
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"state.path {folder}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self._file)
            os.close(self._file)
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise StoreError(f"state.path {folder}: cannot be locked: {error.strerror}") from error
            advice = "stop that one, or give this one a folder of its own"
            raise StoreError(f"state.path {folder}: is in use by {holder}; {advice}") from None
        self._sign()

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is locked is the one that others would lock."""
        try:
            return samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let another writer in. Again, it does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _sign(self) -> None:
        """Say who holds the lock; on a full disk nobody can, and it holds all the same."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)
        except OSError:
            return


def _holder(file: int) -> str:
    try:
        found = json.loads(os.pread(file, 4096, 0))
        return f"process {found['pid']} on host {found['host']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
