"""Where the lines of an audit log come from: what all kinds of logs have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dupscope.audit.reasons import Invalid
from dupscope.model.plain import Plain


def _nowhere(_index: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Lines:
    """What one read of a source gave: whole lines, each for the first time, without their ends.

    place    says of the line of an index where it lies, for a person: `audit.jsonl, byte 4711`. It tells
             nothing of the line's content
    at_end   nothing was left to read
    held_ms  with `at_end`: up to when all lines are known where that is not the moment of the read, since
             something in the log keeps later ones back, such as a transaction that is open
    lost     writers of which lines are known to be lost
    """

    lines: list[bytes]
    place: Callable[[int], str] = _nowhere
    at_end: bool = False
    held_ms: int | None = None
    lost: int = 0


class LineSource(Protocol):
    """One audit log as lines. For one thread: the loop's. No call may block longer than a moment.

    A line is given once, also over restarts: `saved` is how far was read, as plain values, and a source that
    takes it by `resume`, before its first read, goes on there.
    """

    def read(self, max_lines: int, invalid: Invalid) -> Lines:
        """At most so many lines. What could not be read is counted in `invalid`. Never raises for the log."""

    def goal(self) -> object:
        """How far the log reaches as of now, for `has_reached`."""

    def has_reached(self, goal: Any) -> bool:  # noqa: ANN401 - what `goal` gave
        """Whether everything below a goal was read, or is lost."""

    def problem(self) -> str | None:
        """Why the log cannot be read now, or not to its end, in words for a person; None: it can."""

    def saved(self) -> Plain:
        """How far was read. What `read` has given lies before it, and nothing else does."""

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave, in this process or another
        """Go on there."""

    def close(self) -> None:
        """Give up all connections and files."""
