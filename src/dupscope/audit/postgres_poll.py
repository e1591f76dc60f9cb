"""Reads rows of a Postgres table, each once, whatever the order in which transactions commit.

Ids are handed out before the commit: a lower one may appear later. So rows are read by the transaction that
wrote them. All transactions below a snapshot's `xmin` are over, for good: rows of theirs that are visible now
are all that there will ever be (PostgreSQL manual, "System Information Functions", `pg_snapshot`). Each poll
reads the rows of the transactions from the horizon before up to the present one.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from dupscope.audit.settings import PostgresSource
from dupscope.model.plain import Plain

ROWS_A_PAGE = 5_000
STATEMENT_MS = 15_000
LOCK_MS = 2_000
CONNECT_SECONDS = 5
MOST_POLLS = 3600
"""Polls that are remembered while a transaction holds the horizon: the last hour's."""

_SESSION = sql.SQL(
    "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {};"
    "SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL timezone = 'UTC'"
).format(STATEMENT_MS, LOCK_MS, 2 * STATEMENT_MS)

_SNAPSHOT: LiteralString = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,
       (SELECT system_identifier::text FROM pg_control_system())
FROM pg_current_snapshot() AS s
"""

_HOLDER: LiteralString = """
SELECT extract(epoch FROM now() - since)::bigint, what FROM (
    SELECT xact_start AS since, format('process %s (%s, %s)', pid, application_name, state) AS what
    FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname IS NOT NULL
    UNION ALL
    SELECT prepared, format('prepared transaction %L', gid) FROM pg_prepared_xacts
) AS holders WHERE since IS NOT NULL ORDER BY since LIMIT 1
"""

FULL_XID: LiteralString = "({h} + ((({x} - {h}) % 4294967296 + 6442450944) % 4294967296) - 2147483648)"
"""A row's transaction with its epoch: of those that end in these 32 bits the one that is nearest to `h`."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading stands.

    system  the database cluster's identifier
    low     transactions below it were read
    high    those from `low` up to, without, this one are being read; None: nothing is
    after   the last row of them that was read: its key, as texts; None: none yet
    top     the highest id read, where rows are found by it
    """

    system: str = ""
    low: int = 0
    high: int | None = None
    after: tuple[str, ...] | None = None
    top: int | None = None

    def tree(self) -> list[Plain]:
        """As plain values."""
        after = None if self.after is None else list(self.after)
        return [self.system, self.low, self.high, after, self.top]

    @classmethod
    def from_tree(cls, tree: list[Any]) -> Cursor:
        """The cursor that a tree was made of."""
        system, low, high, after, top = tree
        return cls(system, low, high, None if after is None else tuple(after), top)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line, its id for a person, and the cursor behind it."""

    line: bytes
    id: str
    behind: Cursor


@dataclass(frozen=True, slots=True)
class Page:
    """What one poll gave.

    cursor     behind all of it
    began      when the poll began, by the monotonic clock, in seconds
    at_end     nothing was left at that moment that can be read
    horizon    transactions below it are over, and were read with the last page
    end        no transaction had this number yet
    held       for how many seconds a transaction, and which one, has kept later rows from being read
    is_new     another database cluster, or an older state of it, than the cursor came from: begun anew
    """

    rows: list[Row]
    cursor: Cursor
    began: float
    at_end: bool = False
    horizon: int = 0
    end: int = 0
    held: tuple[int, str] | None = None
    is_new: bool = False


class Completeness:
    """Up to when all rows are known, by what polls have seen.

    A transaction that is not below a horizon began to write after the last poll that had not seen its number
    yet. So up to that poll nothing is missing, whoever holds the horizon back and since when.
    """

    def __init__(self) -> None:
        self._polls: deque[tuple[float, int]] = deque(maxlen=MOST_POLLS)

    def after(self, page: Page) -> float | None:
        """The moment, by the monotonic clock, for a page that is the last; None: not known."""
        self._polls.append((page.began, page.end))
        known = [began for began, end in self._polls if end <= page.horizon]
        while len(self._polls) > 1 and self._polls[1][1] <= page.horizon:
            self._polls.popleft()
        return max(known, default=None)


class Poll:
    """One question for the next rows, over a connection that is in no transaction."""

    def __init__(self, settings: PostgresSource) -> None:
        self._settings = settings
        self._by_column = settings.transaction is not None
        self._relation = relation(settings)
        self._id = sql.Identifier("t", settings.id)

    def next(self, connection: psycopg.Connection[Any], cursor: Cursor) -> Page:
        """The next page. Raises psycopg.Error."""
        began = time.monotonic()
        with connection.transaction():
            connection.execute(_SESSION)
            horizon, end, system = connection.execute(_SNAPSHOT).fetchone() or (0, 0, "")
            is_new = bool(cursor.system) and (
                cursor.system != system or horizon < (cursor.high or cursor.low)
            )
            cursor = Cursor(system) if is_new or not cursor.system else cursor
            is_last = cursor.high is None
            cursor = replace(cursor, high=horizon) if is_last else cursor
            rows = self._rows(connection, cursor) if cursor.low < (cursor.high or 0) else []
            is_whole = len(rows) < ROWS_A_PAGE
            held = _holder(connection) if end > horizon and is_last else None
        behind = rows[-1].behind if rows else cursor
        if is_whole:
            behind = Cursor(system, cursor.high or 0, top=behind.top)
        return Page(rows, behind, began, is_whole and is_last, horizon, end, held, is_new)

    def _rows(self, connection: psycopg.Connection[Any], cursor: Cursor) -> list[Row]:
        query = self._of_column(cursor) if self._by_column else self._of_system_column(cursor)
        return [self._row(cursor, *found) for found in connection.execute(query).fetchall()]

    def _row(self, cursor: Cursor, xid: str, row_id: str, line: str) -> Row:
        if self._by_column:
            return Row(line.encode(), row_id, replace(cursor, after=(xid, row_id)))
        top = max(int(row_id), cursor.top or 0)
        return Row(line.encode(), row_id, replace(cursor, after=(row_id,), top=top))

    def _of_column(self, cursor: Cursor) -> sql.Composed:
        """By a column that tells the transaction, in its order, which an index has."""
        assert self._settings.transaction is not None, "this is for tables with such a column"
        xid = sql.Identifier("t", self._settings.transaction)
        if cursor.after is None:
            begin = sql.SQL("{} >= {}::xid8").format(xid, str(cursor.low))
        else:
            last, last_id = cursor.after
            begin = sql.SQL("({}, {}) > ({}::xid8, {})").format(xid, self._id, last, last_id)
        where = sql.SQL("{} AND {} < {}::xid8").format(begin, xid, str(cursor.high))
        return self._query(xid, where, sql.SQL("{}, {}").format(xid, self._id))

    def _of_system_column(self, cursor: Cursor) -> sql.Composed:
        """By the system column `xmin`. The id only bounds what is looked at, and gives the order."""
        own = sql.SQL("t.xmin::text::bigint")
        xid = sql.SQL(FULL_XID).format(h=sql.Literal(cursor.high), x=own)
        span = sql.SQL("{x} >= {low} AND {x} < {high}").format(x=xid, low=cursor.low, high=cursor.high)
        begins = [int(text) for text in cursor.after or ()]
        if cursor.top is not None:
            begins.append(cursor.top - self._settings.reach)
        above = sql.SQL("{} > {} AND ").format(self._id, max(begins)) if begins else sql.SQL("")
        return self._query(xid, sql.Composed([above, span]), self._id)

    def _query(self, xid: sql.Composable, where: sql.Composable, order: sql.Composable) -> sql.Composed:
        """Rows as lines. One without an `effect_id` gets its id: written again, it is no second effect."""
        return sql.SQL(
            "SELECT {xid}::text, {id}::text, (line || CASE WHEN line ->> 'effect_id' IS NULL"
            " THEN jsonb_build_object('effect_id', {id}::text) ELSE '{{}}' END)::text"
            " FROM {relation} AS t, to_jsonb(t) AS line WHERE {where} ORDER BY {order} LIMIT {limit}"
        ).format(xid=xid, id=self._id, relation=self._relation, where=where, order=order, limit=ROWS_A_PAGE)


def connect(settings: PostgresSource) -> psycopg.Connection[Any]:
    """A connection that can only read. Raises psycopg.Error."""
    defaults = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "dupscope"}
    connection = psycopg.connect(make_conninfo(**{**defaults, **settings.connection}))
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.prepare_threshold = None  # works behind a pooler of transactions
    return connection


def told(error: psycopg.Error) -> str:
    """What an error is, without anything that a row may hold."""
    state = error.sqlstate or ""
    if not state and isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError):
        return " ".join(str(error).split())
    if state.startswith(("42", "28", "3D", "57", "53")) and error.diag.message_primary:
        return error.diag.message_primary
    return f"{type(error).__name__} {state}".strip()


def relation(settings: PostgresSource) -> sql.Composable:
    """What stands behind FROM."""
    if settings.query:
        return sql.SQL("({})").format(sql.SQL(settings.query))  # the operator's own
    return sql.Identifier(*settings.table.split("."))


def _holder(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    found = connection.execute(_HOLDER).fetchone()
    return found or (0, "a transaction that this user may not see (grant pg_monitor to it)")
