from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from dupscope.audit.postgres import HELD_SECONDS, AuditTable
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import PostgresSource
from support.postgres import Server
from support.waiting import wait_until

NUMBERS = count()
TABLE = """
CREATE TABLE {0} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    key int
)
"""


class Reader:
    """Reads a table as the loop would: whatever is there, without waiting."""

    def __init__(self, settings: PostgresSource, saved: object = None) -> None:
        self.table = AuditTable(settings)
        self.invalid = Invalid()
        self.keys: list[int] = []
        if saved is not None:
            self.table.resume(saved)

    def read(self, max_lines: int = 1000) -> list[int]:
        lines = self.table.read(max_lines, self.invalid).lines
        keys = [json.loads(line)["key"] for line in lines]
        self.keys += keys
        return keys

    def until(self, number: int, max_lines: int = 1000) -> list[int]:
        wait_until(lambda: self.read(max_lines) is not None and len(self.keys) >= number, 30, "rows come")
        return self.keys


@pytest.fixture
def name(server: Server) -> str:
    name = f"read_{next(NUMBERS)}"
    with server.connect() as database:
        database.execute(TABLE.format(name))
    return name


@pytest.fixture
def readers() -> Iterator[list[Reader]]:
    readers: list[Reader] = []
    yield readers
    for reader in readers:
        reader.table.close()


def write(server: Server, name: str, *keys: int) -> None:
    with server.connect() as database:
        for key in keys:
            database.execute(f"INSERT INTO {name} (key) VALUES (%s)", (key,))


class TestAuditTable:
    def test_rows_as_they_are_written(self, server, name, readers):
        reader = Reader(PostgresSource(server.connection, name, transaction="written_by"))
        readers.append(reader)
        write(server, name, 1, 2)
        assert reader.until(2) == [1, 2]
        goal = reader.table.goal()
        assert not reader.table.has_reached(goal)
        write(server, name, 3)
        assert reader.until(3) == [1, 2, 3]
        wait_until(lambda: reader.read() == [] and reader.table.has_reached(goal), 30, "read to its end")
        assert reader.table.problem() is None
        assert reader.invalid.counts == {}

    @pytest.mark.parametrize("transaction", [None, "written_by"])
    def test_another_goes_on_where_one_stood(self, server, name, readers, transaction):
        """Also in the middle of what was fetched at once."""
        settings = PostgresSource(server.connection, name, transaction=transaction)
        write(server, name, *range(10))
        keys: list[int] = []
        saved = None
        while len(keys) < 10:
            reader = Reader(settings, saved)
            readers.append(reader)
            keys += reader.until(1, max_lines=3)
            saved = json.loads(json.dumps(reader.table.saved()))
        assert keys == list(range(10))

    def test_places(self, server, name, readers):
        """A person is told the table and the row's id."""
        write(server, name, 5)
        reader = Reader(PostgresSource(server.connection, name, transaction="written_by"))
        readers.append(reader)
        found = []
        wait_until(lambda: found.append(reader.table.read(10, Invalid())) or found[-1].lines, 30, "a row")
        assert found[-1].place(0) == f"table {name}, id 1"

    def test_a_reader_with_few_rights(self, server, name, readers):
        """SELECT on the table is enough; what holds rows back cannot be seen then."""
        role = f"few_{name}"
        with server.connect() as database:
            database.execute(f"CREATE ROLE {role} LOGIN")
            database.execute(f"GRANT SELECT ON {name} TO {role}")
        settings = PostgresSource({**server.connection, "user": role}, name, transaction="written_by")
        reader = Reader(settings)
        readers.append(reader)
        write(server, name, 1)
        assert reader.until(1) == [1]
        with server.connect(autocommit=False) as holder:
            holder.execute(f"INSERT INTO {name} (key) VALUES (2)")
            write(server, name, 3)
            wait_until(lambda: reader.read() == [] and reader.table._held is not None, 30, "held back")
            assert reader.table._held is not None
            assert "grant pg_monitor" in reader.table._held[1]
        assert sorted(reader.until(3)) == [1, 2, 3]

    def test_ids_that_are_no_numbers(self, server, name, readers):
        """They need the column that tells the transaction. It is told, not a silent end."""
        with server.connect() as database:
            database.execute(f"ALTER TABLE {name} ADD code text DEFAULT 'c-1'")
        write(server, name, 1)
        wrong = Reader(PostgresSource(server.connection, name, id="code"))
        right = Reader(PostgresSource(server.connection, name, id="code", transaction="written_by"))
        readers += [wrong, right]
        wait_until(lambda: wrong.read() == [] and wrong.table.problem(), 30, "it is told")
        assert "ids must be numbers" in (wrong.table.problem() or "")
        assert right.until(1) == [1]

    def test_up_to_when_all_is_known(self, server, name, readers):
        """Not later than the transaction that is still open, whoever may see it."""
        reader = Reader(PostgresSource(server.connection, name, transaction="written_by"))
        readers.append(reader)
        told: list[int] = []

        def complete() -> int:
            lines = reader.table.read(1000, Invalid())
            told.extend([lines.held_ms] if lines.at_end and lines.held_ms else [])
            return len(told)

        wait_until(complete, 30, "all is known")
        with server.connect(autocommit=False) as holder:
            holder.execute(f"INSERT INTO {name} (key) VALUES (1)")
            opened_ms = time.time() * 1000
            write(server, name, 2)
            before = complete()
            wait_until(lambda: complete() > before + 2, 30, "more polls")
            assert told[-1] <= opened_ms
        wait_until(lambda: complete() and told[-1] > opened_ms, 30, "all is known again")

    def test_what_holds_rows_back_is_told_after_a_while(self, server, name):
        table = AuditTable(PostgresSource(server.connection, name))
        table._held = (HELD_SECONDS - 1, "process 1")
        assert table.problem() is None
        table._held = (HELD_SECONDS, "process 1")
        assert table.problem() == f"table {name}: newer rows wait for process 1, open for 30 s"

    def test_the_server_goes_and_comes_back(self, tmp_path: Path, readers):
        with Server(tmp_path) as server:
            with server.connect() as database:
                database.execute(TABLE.format("t"))
            reader = Reader(PostgresSource(server.connection, "t", transaction="written_by"))
            readers.append(reader)
            write(server, "t", 1)
            assert reader.until(1) == [1]
            server.stop()
            wait_until(lambda: reader.read() == [] and reader.table.problem(), 30, "it is told")
            server.start()
            write(server, "t", 2)
            assert reader.until(2) == [1, 2]
            wait_until(lambda: reader.read() == [] and reader.table.problem() is None, 30, "all is well")
