"""Audit logs that are topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.settings import TopicSource
from dupscope.audit.shipped import Shipped
from dupscope.audit.source import Lines
from dupscope.kafka.client import ClientLog, silent
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.kafka.raw_tail import RawTail
from dupscope.model.plain import Plain


@dataclass(slots=True)
class _Goal:
    """Ends by partition slot; None until the cluster tells them."""

    ends: dict[int, int] | None


class TopicLines:
    """Reads topics whose values are lines, or hold lines that were shipped there.

    Their partitions are numbered in a table of their own, which goes with what is saved.
    """

    def __init__(self, settings: TopicSource, clock: Clock = SYSTEM_CLOCK, log: ClientLog = silent) -> None:
        self._settings = settings
        self._clock = clock
        self._tail = RawTail(settings.cluster, settings.topics, settings.start, clock, log)
        self._shipped = Shipped(settings)

    def read(self, max_lines: int, invalid: Invalid) -> Lines:
        """Lines that were not read before. Nothing while the cluster is away."""
        read, now_ms, place = self._tail.read(max_lines), self._clock.now_ms(), self._tail.place
        for where in read.lost:
            invalid.add(InvalidReason.LOST, where)
        lines: list[bytes] = []
        places: list[tuple[int, int]] = []
        for record in read.records:
            line = self._shipped.line(record, now_ms, invalid, place(record.slot, record.offset))
            if line is not None:
                lines.append(line)
                places.append((record.slot, record.offset))
        if read.records:
            self._shipped.forget(max(record.timestamp for record in read.records), now_ms)
        lost = self._shipped.lost(self._tail.complete_ms)
        complete_ms = self._shipped.complete(self._tail.complete_ms)
        return Lines(
            lines,
            lambda index: place(*places[index]),
            at_end=complete_ms is not None,
            held_ms=complete_ms,
            lost=lost,
        )

    def goal(self) -> _Goal:
        """The ends of all partitions as of now."""
        return _Goal(self._tail.ends())

    def has_reached(self, goal: _Goal) -> bool:
        """Whether so much was read, or is lost. A goal that could not be told is what is there now."""
        if goal.ends is None:
            goal.ends = self._tail.ends()
        return goal.ends is not None and self._tail.has_passed(goal.ends)

    def problem(self) -> str | None:
        """Why the topics cannot be read now, or not to their ends."""
        held = "an open transaction holds later lines back" if self._tail.is_held else None
        what = self._tail.problem or held
        return what and f"{self._settings}: {what}"

    def saved(self) -> Plain:
        """Where reading stands, and which lines were shipped so far."""
        return {"tail": self._tail.saved(), "shipped": self._shipped.saved()}

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on there."""
        self._tail.resume(saved["tail"])
        self._shipped.resume(saved["shipped"])

    def close(self) -> None:
        """Give up all connections."""
        self._tail.close()
