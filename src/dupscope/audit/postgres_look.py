"""What can be said of an audit table before it is read."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from dupscope.audit.postgres_poll import connect, relation, told
from dupscope.audit.settings import PostgresSource

LAST_ROWS = 500

_NOT_FOUND = ("42P01", "3F000")
_NOT_ALLOWED = "42501"
_WRONG_COLUMN = ("42703", "42883")

_INDEXED: LiteralString = """
SELECT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass({table}) AND a.attname = {column} AND i.indisvalid AND i.indpred IS NULL
), pg_has_role(current_user, 'pg_monitor', 'USAGE')
"""


@dataclass(frozen=True, slots=True)
class TableLook:
    """What was found.

    lines         the last rows, as the detector would get them
    transaction   the type of the column that tells the transaction, "" where none is named
    is_indexed    whether what rows are found by is the first column of an index; true for a query, of which
                  that is not known
    sees_holders  whether the user may see which transaction holds rows back
    """

    lines: list[bytes]
    transaction: str
    is_indexed: bool
    sees_holders: bool


class TableLookError(Exception):
    """The table cannot be read. Says why, and what to do."""


def look(settings: PostgresSource) -> TableLook:
    """Look at the table. Raises TableLookError."""
    try:
        with closing(connect(settings)) as connection:
            return _look(connection, settings)
    except psycopg.Error as error:
        raise TableLookError(f"{told(error)}; {_advice(error, settings)}") from None


def grants(settings: PostgresSource) -> str:
    """The statements that let a user read the table, for whoever owns it."""
    user = settings.connection.get("user", "dupscope")
    schema, _, _ = settings.table.rpartition(".")
    usage = f"GRANT USAGE ON SCHEMA {schema} TO {user}; " if schema else ""
    return f"{usage}GRANT SELECT ON {settings.table or 'the tables of the query'} TO {user}"


def _look(connection: psycopg.Connection[tuple[object, ...]], settings: PostgresSource) -> TableLook:
    column = sql.Identifier("t", settings.transaction or settings.id)
    wanted = sql.SQL(
        "SELECT pg_typeof({column})::text, to_jsonb(t)::text FROM {relation} AS t"
        " ORDER BY {id} DESC LIMIT {limit}"
    ).format(column=column, relation=relation(settings), id=sql.Identifier("t", settings.id), limit=LAST_ROWS)
    rows = connection.execute(wanted).fetchall()
    by = settings.transaction or settings.id
    indexed = sql.SQL(_INDEXED).format(table=settings.table, column=by)
    is_indexed, sees_holders = connection.execute(indexed).fetchone() or (False, False)
    kind = str(rows[0][0]) if rows and settings.transaction else ""
    lines = [str(line).encode() for _, line in reversed(rows)]
    return TableLook(lines, kind, bool(is_indexed) or bool(settings.query), bool(sees_holders))


def _advice(error: psycopg.Error, settings: PostgresSource) -> str:
    state = error.sqlstate or ""
    if state == _NOT_ALLOWED:
        return f"let its owner run: {grants(settings)}"
    if state in _NOT_FOUND:
        return "correct 'table' (with its schema), or 'dbname'"
    if state in _WRONG_COLUMN:
        return "correct 'id' or 'transaction'"
    return "correct 'connection', or let its user in"
