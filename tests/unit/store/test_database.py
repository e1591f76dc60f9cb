from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dupscope.model.errors import StoreDamagedError, StoreError, StoreUnwritableError
from dupscope.store import database
from dupscope.store.database import (
    DAMAGED_FILE,
    DATABASE_FILE,
    believed,
    check_pages,
    connect,
    connect_reader,
    is_set_aside,
    put_away,
    remove,
    set_aside,
)


class TestConnect:
    def test_durable(self, tmp_path: Path):
        """Committed is what survives the machine: a write-ahead log, synced at each commit."""
        connection = connect(tmp_path)
        asked = [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
        connection.close()
        assert asked == ["wal", 2]
        assert list(tmp_path.iterdir()) == [tmp_path / DATABASE_FILE]

    @pytest.mark.parametrize("content", [b"", b"SQLite format 3\0 but no more", bytes(5000)])
    def test_no_database(self, tmp_path: Path, content: bytes):
        """A file that is there is never taken for a new one."""
        (tmp_path / DATABASE_FILE).write_bytes(content)
        with pytest.raises(StoreDamagedError):
            connect(tmp_path)

    def test_another_program_s(self, tmp_path: Path):
        with sqlite3.connect(tmp_path / DATABASE_FILE) as other:
            other.execute("CREATE TABLE meta (name)")
        other.close()
        with pytest.raises(StoreDamagedError, match="is no store of dupscope"):
            connect(tmp_path)

    @pytest.mark.parametrize("place", [18, 19])
    def test_read_only_for_ever(self, tmp_path: Path, place: int):
        """A header that asks for a later SQLite: nothing could ever be written again."""
        connect(tmp_path).close()
        path = tmp_path / DATABASE_FILE
        content = bytearray(path.read_bytes())
        content[place] = 3
        path.write_bytes(content)
        with pytest.raises(StoreDamagedError):
            connect(tmp_path)

    def test_newer(self, tmp_path: Path):
        """Never touched: the person is told what to do."""
        connection = connect(tmp_path)
        connection.execute(f"PRAGMA user_version = {database.FORMAT + 1}")
        connection.close()
        for opening in (connect, connect_reader):
            with pytest.raises(
                StoreError, match=r"newer dupscope \(format 2; .*run that version again"
            ) as caught:
                opening(tmp_path)
            assert not isinstance(caught.value, StoreDamagedError)

    def test_a_draft_that_was_left(self, tmp_path: Path):
        """A process that was killed while it made the database is no damage."""
        (tmp_path / f"{DATABASE_FILE}.new").write_bytes(b"half")
        (tmp_path / f"{DATABASE_FILE}-wal").write_bytes(b"of a database that is gone")
        connect(tmp_path).close()

    def test_folder_that_is_gone(self, tmp_path: Path):
        with pytest.raises(StoreUnwritableError):
            connect(tmp_path / "absent")


class TestReader:
    def test_writes_nothing(self, tmp_path: Path):
        connect(tmp_path).close()
        connection = connect_reader(tmp_path)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM meta")
        connection.close()

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(StoreError, match="no state is stored there yet"):
            connect_reader(tmp_path)


class TestCheckPages:
    def test_broken_page(self, tmp_path: Path):
        connection = connect(tmp_path)
        check_pages(connection, tmp_path)
        connection.close()
        path = tmp_path / DATABASE_FILE
        content = bytearray(path.read_bytes())
        content[database.PAGE_BYTES : database.PAGE_BYTES + 8] = b"\xff" * 8
        path.write_bytes(content)
        connection = connect(tmp_path)
        with pytest.raises(StoreDamagedError):
            check_pages(connection, tmp_path)
        connection.close()


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (KeyError("seq"), StoreDamagedError),
            (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), StoreDamagedError),
            (sqlite3.IntegrityError("UNIQUE"), StoreDamagedError),
            (OSError(28, "No space left on device"), StoreUnwritableError),
            (StoreUnwritableError("full"), StoreUnwritableError),
        ],
    )
    def test_kinds(self, tmp_path: Path, error: Exception, kind: type[Exception]):
        """What cannot be read is damage, whatever it is; what cannot be written may pass."""
        with pytest.raises(kind), believed(tmp_path):
            raise error


class TestSetAside:
    def test_renamed(self, tmp_path: Path):
        """With what belongs to it. It keeps a name of its own until it is replaced, then the usual one."""
        for suffix in ("", "-wal"):
            (tmp_path / f"{DAMAGED_FILE}{suffix}").write_bytes(b"older")
        connect(tmp_path).close()
        set_aside(tmp_path)
        assert is_set_aside(tmp_path)
        assert not (tmp_path / DATABASE_FILE).exists()
        assert (tmp_path / DAMAGED_FILE).read_bytes() == b"older"
        put_away(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == [DAMAGED_FILE]
        assert (tmp_path / DAMAGED_FILE).read_bytes() != b"older"

    def test_nothing_to_put_away(self, tmp_path: Path):
        """What is kept already stays."""
        (tmp_path / DAMAGED_FILE).write_bytes(b"older")
        put_away(tmp_path)
        assert (tmp_path / DAMAGED_FILE).exists()

    def test_removed(self, tmp_path: Path):
        connect(tmp_path).close()
        remove(tmp_path)
        assert list(tmp_path.iterdir()) == []
