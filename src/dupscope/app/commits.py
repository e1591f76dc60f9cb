"""The one place where what was read and judged becomes true, and only then is shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from dupscope.app.publish import Publisher
from dupscope.app.restore import Restored
from dupscope.app.watch import PipelineWatch, Reads
from dupscope.ledger.outcome import Outcome
from dupscope.model.errors import StoreDamagedError, StoreUnwritableError
from dupscope.model.finding import Finding
from dupscope.store.commit import Commit, NewFinding, PipelineCommit, Step, no_step
from dupscope.store.store import Salvage, Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import FINDINGS_SHOWN, Metrics, RunState

COMMIT_SECONDS = 0.5
"""What is new is committed after this long, or once there is much of it."""
QUIET_COMMIT_SECONDS = 10.0
"""How long cycles are gathered in which nothing happened that is stored."""
RECORDS_A_COMMIT = 200_000


@dataclass
class CycleWork:
    """What one cycle did to one pipeline."""

    watch: PipelineWatch
    reads: Reads
    outcome: Outcome = field(default_factory=Outcome)
    findings: tuple[Finding, ...] = ()


class Commits:
    """Gathers cycles, commits them, and publishes what they say. For the loop's thread.

    `number` is that of the last cycle. After `StoreDamagedError` the store is begun anew from memory.
    """

    def __init__(
        self,
        store: Store,
        restored: Restored,
        metrics: Metrics,
        findings: FindingLog,
        step: Step = no_step,
    ) -> None:
        self._store = store
        self._step = step
        self._watches = restored.watches
        self._metrics = metrics
        self._log_of_findings = findings
        self._publishers = {watch.settings.name: Publisher(metrics, watch) for watch in restored.watches}
        self._logger = structlog.get_logger()
        self.number = restored.number
        self.published = restored.published
        self.latest: deque[Finding] = deque(restored.latest, FINDINGS_SHOWN)
        self._new: list[NewFinding] = []
        self._lines: list[dict[str, object]] = []
        self._records = 0
        self._committed_at = time.monotonic()
        self._commit_seconds: float | None = None
        self._pending: Commit | None = None
        self._is_writable = True
        self._late = restored.late
        if restored.salvage is not None:
            self._adopt(restored.salvage)

    # ------------------------------------------------------------------ gathering

    def take(self, cycle: Iterable[CycleWork]) -> None:
        """Count what one more cycle did. Nobody sees it yet."""
        for work in cycle:
            publisher = self._publishers[work.watch.settings.name]
            new = self._unknown(work)
            publisher.reads(work.reads)
            publisher.outcome(work.outcome, new)
            publisher.state()
            self._new += map(NewFinding, new, self._log_of_findings.wants(new))
            self._lines += work.outcome.closed
            self._records += sum(len(read.batch) for read in work.reads.logs.values())

    def _adopt(self, salvage: Salvage) -> None:
        """Keep the findings of a store that was set aside. Its totals are restored by whoever calls."""
        shown = len(salvage.findings) - max(0, salvage.last - salvage.published)
        here = {new.finding.id for new in self._new}
        self._new = [
            NewFinding(each.finding, each.logged and index >= shown)
            for index, each in enumerate(salvage.findings)
            if each.finding.id not in here
        ] + self._new

    def _unknown(self, work: CycleWork) -> tuple[Finding, ...]:
        """A pipeline whose state was lost finds again what was found before: that is no second finding."""
        known = self._known([finding.id for finding in work.findings])
        return tuple(finding for finding in work.findings if finding.id not in known)

    def _known(self, ids: list[str]) -> set[str]:
        """Those of some ids that were committed, or wait to be. Damage that is met there loses nothing."""
        stored: set[str] = set()
        try:
            stored = self._store.known(ids)
        except StoreDamagedError as error:
            self._replace_store(error)
        except StoreUnwritableError as error:
            self._degrade(error)
        return stored | {new.finding.id for new in self._new if ids}

    @property
    def is_due(self) -> bool:
        """Whether to commit now."""
        age = time.monotonic() - self._committed_at
        if not self._metrics.has_changed and not self._new:
            return age >= QUIET_COMMIT_SECONDS
        return age >= COMMIT_SECONDS or self._records >= RECORDS_A_COMMIT

    # ------------------------------------------------------------------ committing

    def commit(self, *, checkpoint: bool = False) -> bool:
        """Make everything gathered true. False while that is not possible: nothing is lost, try again.

        What it says is published by `publish`, which comes next.
        """
        began = time.monotonic()
        self._pending = self._pending or self._unit(checkpoint=checkpoint or self._wants_checkpoint)
        try:
            self._store.commit(self._pending)
        except StoreUnwritableError as error:
            self._degrade(error)
            return False
        except StoreDamagedError as error:
            self._replace_store(error)
            return False
        self._settle(time.monotonic() - began)
        return True

    @property
    def _wants_checkpoint(self) -> bool:
        return self._store.wants_checkpoint or not all(watch.is_stored for watch in self._watches)

    def _unit(self, *, checkpoint: bool) -> Commit:
        """What is to become true. The ledger's marks of what has changed are used up by it."""
        if self._commit_seconds is not None:
            self._metrics.observe("commit_duration_seconds", (), self._commit_seconds)
        return Commit(
            self.number,
            {watch.settings.name: _part(watch, checkpoint=checkpoint) for watch in self._watches},
            self._metrics.changed(everything=checkpoint),
            tuple(self._new),
            self.published,
        )

    def _settle(self, seconds: float) -> None:
        is_checkpoint = self._pending is not None and self._pending.is_checkpoint
        for watch in self._watches:
            watch.entries = []
            watch.is_stored |= is_checkpoint
        self._metrics.settle()
        self._pending, self._commit_seconds = None, seconds
        self._committed_at, self._records = time.monotonic(), 0
        if not self._is_writable:
            self._is_writable = True
            self._logger.info("store_writable")

    def _degrade(self, error: StoreUnwritableError) -> None:
        if self._is_writable:
            self._is_writable = False
            consequence = "nothing more is read until it can be written again; nothing is lost"
            self._logger.error("store_unwritable", problem=str(error), consequence=consequence)

    def _replace_store(self, error: StoreDamagedError) -> None:
        """Write everything that is in memory into a new store."""
        self._logger.error("store_reset", problem=str(error), reason=error.reason, lost="nothing")
        self._pending = None
        for watch in self._watches:
            watch.is_stored = False
        try:
            self._adopt(self._store.begin_anew(error))
        except StoreUnwritableError as unwritable:
            self._degrade(unwritable)
        self._metrics.raise_to("store_resets_total", (), self._store.resets)

    # ------------------------------------------------------------------ publishing

    def publish(self, state: RunState) -> None:
        """Show what was committed, and nothing else; first what an earlier process may not have shown."""
        findings = [new.finding for new in self._new]
        self.latest.extendleft(findings)
        self._metrics.set("store_writable", (), 1.0)
        self._metrics.set("store_bytes", (), self._store.nbytes)
        self._metrics.publish(state)
        self._step("publish.metrics")
        self._log_of_findings.write(new.finding for new in (*self._late, *self._new) if new.logged)
        self._step("publish.findings")
        self.published = self._store.last_finding
        self._new, self._late = [], []

    def publish_degraded(self, state: RunState) -> None:
        """Show that nothing can be committed, and nothing of what waits for it."""
        self._metrics.amend(state, {"store_writable": 0.0})

    def close(self) -> None:
        """Say what was left out since that was said last."""
        self._log_of_findings.close()

    def closed_lines(self) -> list[dict[str, object]]:
        """Lines of cases that were forgotten, for the ledger file. Gives each once."""
        lines, self._lines = self._lines, []
        return lines


def _part(watch: PipelineWatch, *, checkpoint: bool) -> PipelineCommit:
    return PipelineCommit(
        watch.identity,
        watch.entries,
        watch.saved(),
        watch.checkpoint() if checkpoint else None,
    )
