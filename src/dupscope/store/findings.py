"""The table of findings: every duplicate, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from dupscope.model.errors import StoreDamagedError
from dupscope.model.finding import Finding
from dupscope.store.commit import NewFinding
from dupscope.store.frame import seal, unseal

KEPT_FINDINGS = 200_000
"""Older ones go, whatever their age."""

TRIMMED_AT_ONCE = 1_000


class FindingTable:
    """Findings by number, from 1 without a gap, also across restarts. Writes belong to a transaction."""

    def __init__(self, connection: sqlite3.Connection, kept: int = KEPT_FINDINGS) -> None:
        self._connection = connection
        self._kept = kept
        found = connection.execute("SELECT min(seq), max(seq) FROM findings").fetchone()
        self.first, self.last = found[0] or 1, found[1] or 0

    def append(self, findings: Iterable[NewFinding]) -> None:
        """Add findings, all of them new."""
        rows = []
        for number, new in enumerate(findings, start=self.last + 1):
            finding = new.finding
            detected_ms = round(finding.detected_at * 1000)
            body = seal([new.logged, msgspec.json.encode(finding)], _place(number, finding.id, detected_ms))
            rows.append((number, finding.id, detected_ms, body))
        self._connection.executemany("INSERT INTO findings VALUES (?, ?, ?, ?)", rows)
        self.last += len(rows)
        self._trim()

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of some ids that are in the table."""
        query = "SELECT 1 FROM findings WHERE id = ?"
        return {one for one in ids if self._connection.execute(query, (one,)).fetchone()}

    def after(self, number: int) -> Iterator[NewFinding]:
        """Findings above a number, oldest first."""
        return self._read("WHERE seq > ? ORDER BY seq", (number,))

    def between(self, since_ms: int, until_ms: int) -> Iterator[NewFinding]:
        """Findings by the time of detection, `until_ms` not included, oldest first."""
        where = "WHERE detected_ms >= ? AND detected_ms < ? ORDER BY detected_ms, seq"
        return self._read(where, (since_ms, until_ms))

    def latest(self, count: int) -> list[Finding]:
        """The findings detected last, newest first."""
        return [new.finding for new in self._read("ORDER BY seq DESC LIMIT ?", (count,))]

    def check(self, first: int, last: int) -> None:
        """Raise StoreDamagedError unless it holds, intact, the findings of these numbers and no others."""
        count = sum(1 for _ in self._read("ORDER BY seq", ()))
        if (self.first, self.last, count) != (first, last, last - first + 1):
            raise StoreDamagedError(f"findings: {first} to {last} should be there", "incomplete")

    def _read(self, where: str, values: tuple[int, ...]) -> Iterator[NewFinding]:
        return _read(self._connection, where, values)

    def _trim(self) -> None:
        if self.last - self.first >= self._kept + TRIMMED_AT_ONCE:
            self.first = self.last - self._kept + 1
            self._connection.execute("DELETE FROM findings WHERE seq < ?", (self.first,))


def numbered(connection: sqlite3.Connection, number: int) -> list[NewFinding]:
    """The finding of a number, if there is one. Reads nothing else, so that damage elsewhere is no matter."""
    return list(_read(connection, "WHERE seq = ?", (number,)))


def _read(connection: sqlite3.Connection, where: str, values: tuple[int, ...]) -> Iterator[NewFinding]:
    for number, name, detected_ms, body in connection.execute(
        f"SELECT seq, id, detected_ms, body FROM findings {where}",  # noqa: S608 - where is ours
        values,
    ):
        logged, text = unseal(body, _place(number, name, detected_ms))
        yield NewFinding(msgspec.json.decode(text, type=Finding), logged)


def _place(number: int, name: object, detected_ms: object) -> str:
    return f"findings/{number}/{name}/{detected_ms}"
