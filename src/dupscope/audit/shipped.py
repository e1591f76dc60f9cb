"""From records of an audit topic to lines, each once."""

from __future__ import annotations

from typing import Any

import msgspec

from dupscope.audit import wire
from dupscope.audit.agents import Agents
from dupscope.audit.envelope import Envelope
from dupscope.audit.reasons import Invalid, InvalidLineError, InvalidReason
from dupscope.audit.repeats import FileEnds, RecentLines
from dupscope.audit.settings import TopicSource
from dupscope.kafka.raw import RawRecord
from dupscope.model.plain import Plain

MOST_AHEAD_MS = 300_000
"""A record's timestamp that is further ahead of the clock says nothing."""

_Headers = dict[str, bytes | None]


class _Status(msgspec.Struct):
    """What an agent says of itself."""

    instance: str
    behind_bytes: int
    at: int = 0


class Shipped:
    """Tells lines from what else lies in the topic: repeats of lines, and what agents say of themselves.

    `shipped` counts the lines that an agent or another program has shipped, `repeats` those of them that were
    left out since they came before, and `unplaced` those of which it is not told where they begin.
    """

    def __init__(self, settings: TopicSource) -> None:
        self.shipped = self.repeats = self.unplaced = 0
        self._envelope = Envelope(settings.shipping) if settings.shipping is not None else None
        self._files = FileEnds()
        self._recent = RecentLines()
        self._agents = Agents(int(settings.lost_after * 1000))
        self._status = msgspec.json.Decoder(_Status)

    def line(self, record: RawRecord, now_ms: int, invalid: Invalid, place: str) -> bytes | None:
        """The line of a record, None where it has none, or none that is new. Counts what is wrong with it."""
        try:
            headers = dict(record.headers) if record.headers else {}
            if wire.VERSION in headers:
                return self._from_agent(record, headers, now_ms)
            if not record.value or self._envelope is None:
                return record.value or None
            return self._unwrapped(record.value, self._envelope)
        except InvalidLineError as error:
            invalid.add(error.reason, place)
            return None

    def forget(self, newest_ms: int, now_ms: int) -> None:
        """Forget files that were not heard of for long, by the records' time, of which this is the latest."""
        self._files.forget(min(newest_ms, now_ms + MOST_AHEAD_MS))

    def lost(self, complete_ms: int | None) -> int:
        """How many agents fell silent since the last call; see `Agents`."""
        return self._agents.lost(complete_ms)

    def complete(self, complete_ms: int | None) -> int | None:
        """Up to when all lines are known; see `Agents`."""
        return self._agents.complete(complete_ms)

    def saved(self) -> Plain:
        """What must be known to go on, as plain values."""
        return {"files": self._files.tree(), "recent": self._recent.tree(), "agents": self._agents.tree()}

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on with that."""
        self._files.resume(saved["files"])
        self._recent.resume(saved["recent"])
        self._agents.resume(saved["agents"])

    def _from_agent(self, record: RawRecord, headers: _Headers, now_ms: int) -> bytes | None:
        if headers[wire.VERSION] != wire.FORMAT:
            raise InvalidLineError(InvalidReason.BAD_SHIPMENT)
        if wire.STATUS in headers:
            self._hear(record.value, now_ms, stopped=headers[wire.STATUS] == wire.STOPPED)
            return None
        self.shipped += 1
        file, end = headers.get(wire.FILE), _number(headers.get(wire.END))
        is_placed = bool(file) and end is not None
        if is_placed and self._is_known(record, file or b"", end or 0):
            self.repeats += 1
            return None
        if wire.INVALID in headers:
            raise InvalidLineError(_reason(headers[wire.INVALID]))
        if not is_placed:
            raise InvalidLineError(InvalidReason.BAD_SHIPMENT)
        return record.value or None

    def _is_known(self, record: RawRecord, file: bytes, end: int) -> bool:
        name = file.decode(errors="backslashreplace")
        return self._files.is_known(name, record.slot, end, record.timestamp)

    def _hear(self, value: bytes | None, now_ms: int, *, stopped: bool) -> None:
        try:
            status = self._status.decode(value or b"")
        except (msgspec.MsgspecError, ValueError):
            raise InvalidLineError(InvalidReason.BAD_SHIPMENT) from None
        self._agents.hear(status.instance, (status.at, status.behind_bytes), now_ms, stopped=stopped)

    def _unwrapped(self, value: bytes, envelope: Envelope) -> bytes | None:
        found = envelope.open(value)
        self.shipped += 1
        if found.offset is None:
            self.unplaced += 1
        elif self._recent.is_known(found.file, found.offset, found.line):
            self.repeats += 1
            return None
        return found.line or None


def _number(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004


def _reason(text: bytes | None) -> InvalidReason:
    try:
        return InvalidReason((text or b"").decode())
    except ValueError:
        return InvalidReason.BAD_SHIPMENT
