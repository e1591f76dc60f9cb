"""Audit logs that are tables in Postgres."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import psycopg

from dupscope.audit.postgres_poll import Completeness, Cursor, Page, Poll, connect, told
from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.settings import PostgresSource
from dupscope.audit.source import Lines
from dupscope.model.plain import Plain

IDLE_SECONDS = 1.0
AGAIN_SECONDS = 3.0
PAGES_AHEAD = 2
HELD_SECONDS = 30
"""A transaction that holds rows back for so long is worth telling; shorter ones are usual."""


class AuditTable:
    """Gives rows as JSON lines, those that are written while it runs too.

    A thread of its own asks the server, so that nothing waits for that; `saved` is how far `read` has given.
    """

    def __init__(self, settings: PostgresSource) -> None:
        self._settings = settings
        self._cursor = Cursor()
        self._pages: queue.Queue[Page] = queue.Queue(PAGES_AHEAD)
        self._page: Page | None = None
        self._given = 0
        self._end_began = float("-inf")
        self._completeness = Completeness()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem: str | None = None
        self._held: tuple[int, str] | None = None

    # ------------------------------------------------------------------ the loop's thread

    def read(self, max_lines: int, invalid: Invalid) -> Lines:
        """Rows that were fetched and not given yet."""
        self._begin()
        if self._page is None and not self._take(invalid):
            return Lines([])
        page = self._page
        assert page is not None, "there is a page"
        rows = page.rows[self._given : self._given + max_lines]
        self._given += len(rows)
        is_given = self._given >= len(page.rows)
        self._cursor = page.cursor if is_given else rows[-1].behind
        complete = None
        if is_given:
            self._page = None
            if page.at_end:
                self._end_began, complete = page.began, self._completeness.after(page)
        return Lines(
            [row.line for row in rows],
            lambda index: f"{self._settings}, id {rows[index].id}",
            at_end=complete is not None,
            held_ms=None if complete is None else _milliseconds(complete),
        )

    def goal(self) -> float:
        """The moment: whatever is asked after it knows of all that was committed before."""
        return time.monotonic()

    def has_reached(self, goal: float) -> bool:
        """Whether all that could be read at a moment was given."""
        return self._end_began >= goal

    def problem(self) -> str | None:
        """Why the table cannot be read now, or not to its end."""
        if self._problem is not None:
            return f"{self._settings}: {self._problem}"
        if self._held is not None and self._held[0] >= HELD_SECONDS:
            seconds, holder = self._held
            return f"{self._settings}: newer rows wait for {holder}, open for {seconds} s"
        return None

    def saved(self) -> Plain:
        """The cursor behind the last row that was given."""
        return self._cursor.tree()

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on behind it."""
        self._cursor = Cursor.from_tree(saved)

    def close(self) -> None:
        """End the thread. A question that is under way ends with its own time limit."""
        self._stopping.set()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fetch, args=(self._cursor,), daemon=True)
            self._thread.start()

    def _take(self, invalid: Invalid) -> bool:
        try:
            self._page = self._pages.get_nowait()
        except queue.Empty:
            return False
        self._given = 0
        if self._page.is_new:
            invalid.add(InvalidReason.ROTATED, f"{self._settings}: another or an older database")
        return True

    # ------------------------------------------------------------------ the other thread

    def _fetch(self, cursor: Cursor) -> None:
        """Fetch page by page, until stopped. Whatever the server does, ask again."""
        poll = Poll(self._settings)
        while not self._stopping.is_set():
            try:
                with connect(self._settings) as connection:
                    while not self._stopping.is_set():
                        page = poll.next(connection, cursor)
                        self._problem, self._held = None, page.held
                        cursor = self._put(page)
            except Exception as error:  # noqa: BLE001 - whatever it is: a thread that ended would be silence
                self._problem, self._held = _problem(error), None
                self._stopping.wait(AGAIN_SECONDS)

    def _put(self, page: Page) -> Cursor:
        """Hand a page over, as soon as there is room; after the last rows wait a moment."""
        while not self._stopping.is_set():
            try:
                self._pages.put(page, timeout=IDLE_SECONDS)
                break
            except queue.Full:
                continue
        if page.at_end:
            self._stopping.wait(IDLE_SECONDS)
        return page.cursor


def _problem(error: Exception) -> str:
    if isinstance(error, psycopg.Error):
        return told(error)
    return f"{type(error).__name__}; without 'transaction' the ids must be numbers"


def _milliseconds(moment: float) -> int:
    """A moment of the monotonic clock as ms since 1970."""
    return int((time.time() - (time.monotonic() - moment)) * 1000)
