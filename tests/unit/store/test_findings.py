from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dupscope.model.errors import StoreDamagedError
from dupscope.store.commit import NewFinding
from dupscope.store.database import connect
from dupscope.store.findings import TRIMMED_AT_ONCE, FindingTable, numbered
from unit.store.conftest import finding


@pytest.fixture
def connection(tmp_path: Path):
    connection = connect(tmp_path)
    yield connection
    connection.close()


def filled(connection, *numbers: int, kept: int = 100) -> FindingTable:
    table = FindingTable(connection, kept)
    table.append(NewFinding(finding(number), logged=number % 2 == 0) for number in numbers)
    return table


class TestFindingTable:
    def test_comes_back(self, connection):
        """Whole, with what its log line wants, in order."""
        table = filled(connection, 1, 2, 3)
        assert list(table.after(1)) == [NewFinding(finding(2)), NewFinding(finding(3), logged=False)]
        assert (table.first, table.last) == (1, 3)
        assert FindingTable(connection).last == 3

    def test_between(self, connection):
        """By the time of detection, not by number; the end is not included."""
        table = filled(connection, 9, 3, 5)
        assert [new.finding for new in table.between(1_003_000, 1_009_000)] == [finding(3), finding(5)]

    def test_known(self, connection):
        assert filled(connection, 1, 2).known(["id-2", "id-7"]) == {"id-2"}

    def test_numbered(self, connection):
        """One alone, whatever became of the others."""
        filled(connection, 4, 5, 6)
        connection.execute("UPDATE findings SET body = x'00' WHERE seq != 2")
        assert [new.finding for new in numbered(connection, 2)] == [finding(5)]
        assert numbered(connection, 9) == []

    def test_once(self, connection):
        with pytest.raises(sqlite3.IntegrityError):
            filled(connection, 1, 1)

    def test_oldest_go(self, connection):
        """A full table is cut back once in a while; numbers go on."""
        table = filled(connection, *range(50 + TRIMMED_AT_ONCE), kept=50)
        assert (table.first, table.last) == (1, 50 + TRIMMED_AT_ONCE)
        table.append([NewFinding(finding(-1))])
        assert (table.first, table.last) == (TRIMMED_AT_ONCE + 2, TRIMMED_AT_ONCE + 51)
        table.check(table.first, table.last)
        assert FindingTable(connection, 50).first == table.first

    def test_what_is_missing(self, connection):
        table = filled(connection, 1, 2, 3)
        table.check(1, 3)
        with pytest.raises(StoreDamagedError, match="1 to 4 should be there"):
            table.check(1, 4)
        connection.execute("DELETE FROM findings WHERE seq = 2")
        with pytest.raises(StoreDamagedError, match="1 to 3 should be there"):
            table.check(1, 3)
