"""Replays that somebody meant: announced beforehand, or marked on the records themselves."""

from __future__ import annotations

from dataclasses import dataclass

REDRIVE = "redrive"
"""The reason of copies that carry a redrive mark of their own."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A declared replay: duplicates of `stage` whose own timestamp lies in it are intended.

    `from_ms` is included, `to_ms` is not; both in milliseconds since 1970. The timestamp is that of the
    record, or the time of the effect. `reason` becomes a label.
    """

    stage: str
    from_ms: int
    to_ms: int
    reason: str = "declared"

    def covers(self, stage: str, timestamp_ms: int) -> bool:
        """Whether a duplicate of a stage belongs to this replay."""
        return stage == self.stage and self.from_ms <= timestamp_ms < self.to_ms
