"""The SQLite file: how it is opened, its schema, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dupscope.model.errors import DupscopeError, StoreDamagedError, StoreError, StoreUnwritableError
from dupscope.store.frame import FORMAT

DATABASE_FILE = "dupscope.db"
SET_ASIDE_FILE = f"{DATABASE_FILE}.damaged.pending"
DAMAGED_FILE = f"{DATABASE_FILE}.damaged"
_SUFFIXES = ("", "-wal", "-shm")

APPLICATION_ID = 0x64757073
"""Marks the file as ours ("dups")."""

PAGE_BYTES = 32768
"""A quiet commit writes a page; in bulk 4 KiB pages cost 1.7 times as much, 64 KiB as much."""

WAL_PAGES = 512
"""The write-ahead log is copied into the file once it has this many pages."""

WAL_BYTES_KEPT = 32 << 20
BUSY_MS = 5000

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE journal (seq INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE blocks (
    pipeline TEXT NOT NULL, block INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (pipeline, block)
);
CREATE TABLE findings (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, detected_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX findings_by_time ON findings (detected_ms);
"""
"""
meta      `checkpoint` (totals, sequence numbers, the blocks that there must be) and `pipeline/NAME`
journal   what was committed since the checkpoint, one row a commit, without a gap
blocks    rows of the index with their cases, as of the checkpoint
findings  every duplicate; `body` is sealed JSON
"""

_VERSIONS, _WAL_VERSION = slice(18, 20), 2
"""Who may write and read the file, by its header. A higher one than SQLite knows makes it read-only."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH}
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
}


def connect(folder: Path) -> sqlite3.Connection:
    """The writer's connection; a file that does not exist is created.

    Raises StoreDamagedError, StoreUnwritableError, and StoreError where the file is newer than this program.
    """
    path = folder / DATABASE_FILE
    with translated(path):
        if not path.exists():
            _create(path)
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        try:
            _check_format(connection, path)
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(folder: Path, name: str = DATABASE_FILE) -> sqlite3.Connection:
    """A connection that writes nothing, beside a writer. Raises StoreError where there is no store."""
    path = folder / name
    if not path.exists():
        raise StoreError(f"{folder}: no state is stored there yet; 'dupscope run' creates it")
    with translated(path):
        uri = f"{path.resolve().as_uri()}?mode=ro{_unchanging(folder, name)}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        _check_format(connection, path)
    return connection


def _unchanging(folder: Path, name: str) -> str:
    """Tells SQLite that nobody writes, where none can: a folder that is read-only, and holds no log."""
    is_closed = not (folder / f"{name}-wal").exists()
    return "&immutable=1" if is_closed and not os.access(folder, os.W_OK) else ""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors, and those of the file system, as ours."""
    try:
        yield
    except OSError as error:
        raise StoreUnwritableError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StoreDamagedError(f"{path}: holds text that is none", "corrupt") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        primary = -1 if code is None else code & 0xFF
        if primary in _UNWRITABLE:
            raise StoreUnwritableError(f"{path}: {error}") from error
        if primary in _DAMAGED or isinstance(error, sqlite3.DatabaseError):
            raise StoreDamagedError(f"{path}: {error}", "corrupt") from error
        raise


@contextmanager
def believed(path: Path) -> Iterator[None]:
    """As `translated`, around reading: whatever cannot be made sense of is damage.

    An error of our own in making sense of it is, too: a process that ends with it would end so at each start.
    """
    try:
        with translated(path):
            yield
    except DupscopeError:
        raise
    except Exception as error:
        raise StoreDamagedError(f"{path}: {type(error).__name__}: {error}", "senseless") from error


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page. Raises StoreDamagedError where the file's structure is broken."""
    with translated(path):
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise StoreDamagedError(f"{path}: {str(found[0])[:200]}", "corrupt")


def set_aside(folder: Path) -> None:
    """Rename a database that cannot be used, and what belongs to it. `put_away` comes when it is replaced."""
    _rename(folder, DATABASE_FILE, SET_ASIDE_FILE)


def put_away(folder: Path) -> None:
    """Keep what was set aside for people only: a new database holds what was intact. An earlier one goes."""
    if is_set_aside(folder):
        _rename(folder, SET_ASIDE_FILE, DAMAGED_FILE)


def is_set_aside(folder: Path) -> bool:
    """Whether a database was set aside that no commit has replaced yet."""
    return (folder / SET_ASIDE_FILE).exists()


def remove(folder: Path) -> None:
    """Delete a database into which nothing was ever committed."""
    for suffix in _SUFFIXES:
        (folder / f"{DATABASE_FILE}{suffix}").unlink(missing_ok=True)


def _rename(folder: Path, name: str, new_name: str) -> None:
    for suffix in _SUFFIXES:
        old, new = folder / f"{name}{suffix}", folder / f"{new_name}{suffix}"
        if old.exists():
            old.replace(new)
        else:
            new.unlink(missing_ok=True)


def _create(path: Path) -> None:
    """Make a database with its schema; it has its name only when it is whole, so an empty file is a loss."""
    for suffix in _SUFFIXES[1:]:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(
            f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    finally:
        connection.close()
    draft.replace(path)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    with path.open("rb") as file:
        if max(file.read(_VERSIONS.stop)[_VERSIONS], default=0) > _WAL_VERSION:
            raise StoreDamagedError(f"{path}: would be read-only for ever", "corrupt")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID or not found:
        raise StoreDamagedError(f"{path}: is no store of dupscope", "foreign")
    if found > FORMAT:
        raise StoreError(
            f"{path}: was written by a newer dupscope (format {found}; this one knows up to {FORMAT}); "
            "run that version again, or give this one a state.path of its own"
        )
