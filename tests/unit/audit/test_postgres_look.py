from __future__ import annotations

from itertools import count

import pytest

from dupscope.audit.postgres_look import TableLookError, grants, look
from dupscope.audit.settings import PostgresSource
from support.postgres import Server

NUMBERS = count()


@pytest.fixture
def name(server: Server) -> str:
    name = f"looked_{next(NUMBERS)}"
    with server.connect() as database:
        database.execute(
            f"CREATE TABLE {name} (id int PRIMARY KEY, x xid8 DEFAULT pg_current_xact_id(), n int)"
        )
        database.execute(f"INSERT INTO {name} (id, n) VALUES (1, 7), (2, 8)")
    return name


class TestLook:
    def test_rows_index_and_rights(self, server, name):
        found = look(PostgresSource(server.connection, name, transaction="x"))
        assert [b'"n": 7' in line for line in found.lines] == [True, False]
        assert (found.transaction, found.is_indexed, found.sees_holders) == ("xid8", False, True)

    def test_the_primary_key_is_an_index(self, server, name):
        found = look(PostgresSource(server.connection, name))
        assert (found.transaction, found.is_indexed) == ("", True)

    def test_another_type(self, server, name):
        assert look(PostgresSource(server.connection, name, transaction="n")).transaction == "integer"

    def test_a_user_who_may_nothing(self, server, name):
        with server.connect() as database:
            database.execute(f"CREATE ROLE nobody_{name} LOGIN")
        settings = PostgresSource({**server.connection, "user": f"nobody_{name}"}, f"public.{name}")
        with pytest.raises(TableLookError, match=f"GRANT SELECT ON public.{name} TO nobody_{name}") as caught:
            look(settings)
        assert "permission denied" in str(caught.value)

    @pytest.mark.parametrize(
        ("more", "advice"),
        [
            ({"table": "nowhere"}, "correct 'table'"),
            ({"id": "nothing"}, "correct 'id' or 'transaction'"),
            ({"connection": {"port": "1"}}, "correct 'connection'"),
            ({"connection": {"dbname": "nowhere"}}, "correct 'connection'"),
            ({"connection": {"hots": "x"}}, 'invalid connection option "hots"'),
        ],
    )
    def test_mistakes(self, server, name, more, advice):
        connection = {**server.connection, **more.pop("connection", {})}
        with pytest.raises(TableLookError, match=advice):
            look(PostgresSource(connection, **{"table": name, **more}))


class TestGrants:
    def test_with_a_schema(self):
        settings = PostgresSource({"user": "eye"}, "shop.charges")
        assert grants(settings) == "GRANT USAGE ON SCHEMA shop TO eye; GRANT SELECT ON shop.charges TO eye"
