from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import psycopg
import pytest

from dupscope.audit.postgres_poll import (
    FULL_XID,
    ROWS_A_PAGE,
    Completeness,
    Cursor,
    Page,
    Poll,
    connect,
    told,
)
from dupscope.audit.settings import PostgresSource
from support.postgres import Server

NUMBERS = count()


class Table:
    """A table of its own, and a reader of it that may be started again."""

    def __init__(self, server: Server, *, transaction: bool, **more: object) -> None:
        self.name = f"audit_{next(NUMBERS)}"
        self.server = server
        column = "written_by xid8 NOT NULL DEFAULT pg_current_xact_id()," if transaction else ""
        self.settings = PostgresSource(
            server.connection, self.name, transaction="written_by" if transaction else None, **more
        )
        with server.connect() as database:
            database.execute(
                f"CREATE TABLE {self.name} ({column} key text,"
                " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
            )
        self.cursor = Cursor()

    def open(self) -> psycopg.Connection:
        return self.server.connect(autocommit=False)

    def insert(self, database: psycopg.Connection, *keys: object) -> None:
        for key in keys:
            database.execute(f"INSERT INTO {self.name} (key) VALUES (%s)", (str(key),))

    def write(self, *keys: object) -> None:
        with self.server.connect() as database:
            self.insert(database, *keys)

    def poll(self) -> Page:
        with closing(connect(self.settings)) as connection:
            page = Poll(self.settings).next(connection, self.cursor)
        self.cursor = Cursor.from_tree(json.loads(json.dumps(page.cursor.tree())))
        return page

    def read(self) -> list[str]:
        """Keys of all rows up to the end."""
        keys: list[str] = []
        while True:
            page = self.poll()
            keys += [json.loads(row.line)["key"] for row in page.rows]
            if page.at_end:
                return keys


@pytest.fixture(params=[True, False], ids=["column", "xmin"])
def table(request: pytest.FixtureRequest, server: Server) -> Iterator[Table]:
    return Table(server, transaction=request.param)


class TestOrderOfCommits:
    """Every row that is committed is read once, whatever commits first."""

    def test_a_lower_id_appears_later(self, table):
        """The trap: what reads on from the highest id never sees it."""
        with table.open() as early:
            table.insert(early, "early")
            table.write("late")
            assert table.read() == []
            early.commit()
        assert table.read() == ["early", "late"]
        assert table.read() == []

    def test_rolled_back(self, table):
        with table.open() as given_up:
            table.insert(given_up, "never")
            table.write("a")
            given_up.rollback()
        assert table.read() == ["a"]

    def test_savepoints(self, table):
        """Rows of subtransactions have ids of their own, above that of the whole."""
        with table.open() as whole:
            table.insert(whole, "a")
            with whole.transaction():
                table.insert(whole, "b")
            table.write("c")
            with whole.transaction() as given_up:
                table.insert(whole, "never")
                raise psycopg.Rollback(given_up)
            assert table.read() == []
        assert sorted(table.read()) == ["a", "b", "c"]

    def test_prepared(self, table):
        """A prepared transaction holds newer rows back, and is named."""
        with closing(table.open()) as prepared:
            table.insert(prepared, "prepared")
            prepared.execute(f"PREPARE TRANSACTION 'of {table.name}'")
        table.write("newer")
        page = table.poll()
        assert (page.rows, page.at_end) == ([], True)
        assert page.held is not None
        assert "prepared transaction" in page.held[1]
        with table.server.connect() as other:
            other.execute(f"COMMIT PREPARED 'of {table.name}'")
        assert sorted(table.read()) == ["newer", "prepared"]

    def test_the_holder_is_told(self, table):
        with table.open() as holder:
            table.insert(holder, "x")
            table.write("newer")
            held = table.poll().held
            assert held is not None
            assert f"process {holder.info.backend_pid}" in held[1]
            assert "idle in transaction" in held[1]

    @pytest.mark.timeout(120)
    def test_writers_at_once(self, table):
        """Eight writers commit in any order, some give up, and the reader is started again and again."""
        draw = random.Random(random.random())
        seeds = [draw.random() for _ in range(8)]
        written: list[Counter[str]] = [Counter() for _ in seeds]

        def write(index: int) -> None:
            own = random.Random(seeds[index])
            with table.open() as database:
                for number in range(150):
                    keys = [f"{index}-{number}-{part}" for part in range(own.randrange(4))]
                    table.insert(database, *keys)
                    if own.random() < 0.2:
                        database.rollback()
                    else:
                        database.commit()
                        written[index].update(keys)

        threads = [threading.Thread(target=write, args=(index,)) for index in range(len(seeds))]
        for thread in threads:
            thread.start()
        found: Counter[str] = Counter()
        while any(thread.is_alive() for thread in threads):
            found.update(table.read())
        for thread in threads:
            thread.join()
        found.update(table.read())
        assert found == sum(written, Counter())
        assert len(found) > 1000


class TestPages:
    def test_more_than_a_page(self, table):
        """What is written while pages are read comes after them, once."""
        with table.server.connect() as database:
            database.execute(
                f"INSERT INTO {table.name} (key)"
                f" SELECT n::text FROM generate_series(1, {2 * ROWS_A_PAGE + 7}) AS n"
            )
        first = table.poll()
        assert (len(first.rows), first.at_end) == (ROWS_A_PAGE, False)
        table.write("later")
        rest = table.read()
        assert len(rest) == ROWS_A_PAGE + 8
        assert rest[-1] == "later"

    def test_a_row_is_a_place_to_go_on(self, table):
        """A reader that has used half of a page goes on in the middle of it."""
        table.write(*"abcd")
        table.cursor = table.poll().rows[1].behind
        assert table.read() == ["c", "d"]

    def test_lines(self, table):
        """Rows are objects with the names of the columns; a row without an id of its effect has its own."""
        table.write("a")
        line = json.loads(table.poll().rows[0].line)
        assert (line["key"], line["effect_id"]) == ("a", str(line["id"]))

    def test_the_id_of_an_effect_is_kept(self, server):
        table = Table(server, transaction=True)
        with server.connect() as database:
            database.execute(f"ALTER TABLE {table.name} ADD effect_id text")
            database.execute(f"INSERT INTO {table.name} (key, effect_id) VALUES ('a', 'ch_1'), ('b', NULL)")
        first, second = (json.loads(row.line) for row in table.poll().rows)
        assert (first["effect_id"], second["effect_id"]) == ("ch_1", str(second["id"]))

    def test_query(self, server):
        table = Table(server, transaction=True)
        query = f"SELECT id, written_by, upper(key) AS key FROM {table.name}"
        table.settings = PostgresSource(server.connection, query=query, transaction="written_by")
        table.write("a")
        assert table.read() == ["A"]


class TestChanges:
    def test_a_row_that_is_written_again(self, server):
        """It comes again, under the same id of its effect: it counts as logged twice."""
        table = Table(server, transaction=False)
        table.write("a")
        (before,) = table.poll().rows
        with server.connect() as database:
            database.execute(f"UPDATE {table.name} SET key = 'a2'")
        (after,) = table.poll().rows
        assert json.loads(before.line)["effect_id"] == json.loads(after.line)["effect_id"]

    def test_frozen_and_deleted(self, table):
        table.write("a", "b")
        assert table.read() == ["a", "b"]
        with table.server.connect() as database:
            database.execute(f"VACUUM FREEZE {table.name}")
            database.execute(f"DELETE FROM {table.name} WHERE key = 'a'")
        table.write("c")
        assert table.read() == ["c"]
        with table.server.connect() as database:
            database.execute(f"TRUNCATE {table.name}")
        table.write("d")
        assert table.read() == ["d"]

    def test_another_cluster(self, table):
        """A restored or another database has transactions of its own: begun anew, and said."""
        table.write("a")
        assert table.read() == ["a"]
        _, low, *rest = table.cursor.tree()
        table.cursor = Cursor.from_tree(["4711", low, *rest])
        page = table.poll()
        assert (page.is_new, len(page.rows)) == (True, 1)

    def test_an_older_state(self, table):
        table.write("a")
        table.read()
        system, low, *rest = table.cursor.tree()
        table.cursor = Cursor.from_tree([system, low + 1_000_000, *rest])
        assert table.poll().is_new

    def test_reach(self, server):
        """Without a column ids far below the highest one are not looked at."""
        near, far = Table(server, transaction=False, reach=5), Table(server, transaction=False, reach=5)
        for table, between, expected in ((near, 3, ["early"]), (far, 20, [])):
            with table.server.connect() as early:
                early.execute(f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id'))")
                table.write(*range(between))
                assert len(table.read()) == between
                early.execute(
                    f"INSERT INTO {table.name} (id, key) OVERRIDING SYSTEM VALUE VALUES (1, 'early')"
                )
            assert table.read() == expected


class TestEpochs:
    """32 bits of a transaction's number tell the whole one, near the present one."""

    @pytest.mark.parametrize("horizon", [3, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 7 * 2**32 + 2**31])
    @pytest.mark.parametrize("distance", [0, 1, 5, 2**31 - 1, -1, -(2**31) + 1])
    def test_nearest(self, server, horizon, distance):
        full = horizon - distance
        if full < 0:
            return
        expression = FULL_XID.format(h=f"{horizon}::bigint", x=f"{full % 2**32}::bigint")
        with server.connect() as database:
            assert database.execute(f"SELECT {expression}").fetchone() == (full,)


class TestCompleteness:
    """Up to the last poll that had not seen the number of the first transaction that is not over."""

    def page(self, began: float, horizon: int, end: int) -> Page:
        return Page([], Cursor(), began, at_end=True, horizon=horizon, end=end)

    def test_nothing_is_held_back(self):
        known = Completeness()
        assert [known.after(self.page(at, 10 + at, 10 + at)) for at in (1, 2)] == [1, 2]

    def test_while_a_transaction_is_open_and_after_it(self):
        known = Completeness()
        pages = [(1, 10, 10), (2, 10, 12), (3, 10, 15), (4, 13, 20), (5, 20, 20)]
        assert [known.after(self.page(*page)) for page in pages] == [1, 1, 1, 2, 5]

    def test_not_known_at_first(self):
        known = Completeness()
        assert known.after(self.page(1, 10, 11)) is None
        assert known.after(self.page(2, 11, 12)) == 1


class TestErrors:
    def test_a_table_that_is_not_there(self, server):
        settings = PostgresSource(server.connection, "nowhere", transaction="x")
        with closing(connect(settings)) as connection, pytest.raises(psycopg.Error) as caught:
            Poll(settings).next(connection, Cursor())
        assert told(caught.value) == 'relation "nowhere" does not exist'

    def test_nobody_there(self, server):
        with pytest.raises(psycopg.Error) as caught:
            connect(PostgresSource({**server.connection, "port": "1", "password": "CANARY"}, "t"))
        assert "refused" in told(caught.value)
        assert "CANARY" not in told(caught.value)

    def test_nothing_of_a_row_is_told(self, server):
        """What a conversion says of a value is left out."""
        query = "SELECT 1 AS id, pg_current_xact_id() AS x, 'CANARY'::int AS n"
        settings = PostgresSource(server.connection, query=query, transaction="x")
        with closing(connect(settings)) as connection, pytest.raises(psycopg.Error) as caught:
            Poll(settings).next(connection, Cursor())
        assert "CANARY" not in told(caught.value)

    def test_nothing_can_be_written(self, server):
        table = Table(server, transaction=True)
        with closing(connect(table.settings)) as one, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            table.insert(one, "a")
