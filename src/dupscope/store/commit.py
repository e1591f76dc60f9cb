"""One commit a cycle. In this version it is kept in memory: a restart begins anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from dupscope.model.finding import Finding

KEPT_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that becomes true with one cycle.

    positions    by pipeline: next offset by partition slot
    audited      by pipeline: bytes read of the audit log, by sink
    """

    cycle: int
    positions: Mapping[str, Mapping[int, int]]
    audited: Mapping[str, Mapping[int, int]]
    findings: tuple[Finding, ...] = ()


@dataclass
class Store:
    """Holds what was committed. Nothing of a cycle may be shown to anybody before `commit` returns."""

    last: Commit | None = None
    _findings: deque[Finding] = field(default_factory=lambda: deque(maxlen=KEPT_FINDINGS))

    def commit(self, unit: Commit) -> None:
        """Make one cycle true, whole or not at all."""
        self.last = unit
        self._findings.extendleft(unit.findings)

    def latest(self) -> tuple[Finding, ...]:
        """The latest findings, newest first."""
        return tuple(self._findings)
