"""What is wrong in audit logs, as log lines: how much, and where the first of it lies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from dupscope.model.batch import AuditRead

SAY_AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class _Unsaid:
    """What was found since the last line; `place` is that of the first."""

    count: int = 0
    place: str = ""


class AuditProblems:
    """One line for each sink and reason in `SAY_AGAIN_SECONDS`, with what came in between. Never content."""

    def __init__(self, logger: FilteringBoundLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._unsaid: dict[tuple[str, str, str], _Unsaid] = {}
        self._said_at: dict[tuple[str, str, str], float] = {}

    def note(self, pipeline: str, stage: str, read: AuditRead) -> None:
        """Take what a read found."""
        for reason, count in read.invalid.items():
            unsaid = self._unsaid.setdefault((pipeline, stage, reason), _Unsaid())
            unsaid.count += count
            unsaid.place = unsaid.place or read.places.get(reason, "")
        if read.lost:
            consequence = "effects that nobody can tell of; counted in unverified_total"
            lost = {"writers": read.lost, "consequence": consequence}
            self._logger.warning("audit_lost", pipeline=pipeline, stage=stage, **lost)

    def say(self) -> None:
        """Log what is due. To be called in every cycle."""
        now = self._clock()
        for key in [*self._unsaid]:
            if now - self._said_at.get(key, -SAY_AGAIN_SECONDS) >= SAY_AGAIN_SECONDS:
                self._said_at[key] = now
                self._say(key, self._unsaid.pop(key))

    def close(self) -> None:
        """Log the rest."""
        for key, unsaid in self._unsaid.items():
            self._say(key, unsaid)
        self._unsaid.clear()

    def _say(self, key: tuple[str, str, str], unsaid: _Unsaid) -> None:
        pipeline, stage, reason = key
        self._logger.warning(
            "audit_invalid",
            pipeline=pipeline,
            stage=stage,
            reason=reason,
            count=unsaid.count,
            first=unsaid.place,
        )
