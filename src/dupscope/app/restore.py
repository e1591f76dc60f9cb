"""The start: from what the store holds to pipelines that go on as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dupscope.app.publish import count_finding
from dupscope.app.shapes import STATE_LOST
from dupscope.app.watch import PipelineWatch
from dupscope.model.errors import StoreDamagedError, StoreUnwritableError
from dupscope.model.finding import Finding
from dupscope.store.commit import NewFinding, Step
from dupscope.store.contents import Contents
from dupscope.store.database import believed
from dupscope.store.store import Salvage, Store
from dupscope.telemetry.metrics import FINDINGS_SHOWN, Metrics, RunState

SAY_AGAIN_SECONDS = 1.0
OPEN_AGAIN_SECONDS = 1.0

Watches = list[PipelineWatch]


@dataclass
class Restored:
    """Pipelines ready to go on, and what else goes on.

    number     of their last cycle
    published  the number of the last finding that was surely shown; `late` are those after it
    latest     findings, newest first
    salvage    what a damaged store has left over
    """

    watches: Watches
    number: int = 0
    published: int = 0
    late: list[NewFinding] = field(default_factory=list)
    latest: list[Finding] = field(default_factory=list)
    salvage: Salvage | None = None


class Restorer:
    """Opens the store and rebuilds what was committed. Metrics and web server are up already."""

    def __init__(self, store: Store, metrics: Metrics, step: Step, is_stopping: Callable[[], bool]) -> None:
        self._store = store
        self._metrics = metrics
        self._step = step
        self._is_stopping = is_stopping
        self._log = structlog.get_logger()
        self._started_at = time.time()

    def restore(self, watches: Callable[[], Watches]) -> Restored:
        """The pipelines as they were committed; from `watches` come such that have read nothing yet."""
        try:
            contents = self._loaded()
            restored = self._restored(contents, watches()) if contents else Restored(watches())
        except StoreDamagedError as error:
            restored = self._begun_anew(error, watches())
        self._metrics.set("restored_ratio", (), 1.0)
        self._step("restore.done")
        return restored

    def _loaded(self) -> Contents | None:
        """What the store holds; waits while it cannot be opened. None when stopped meanwhile."""
        said = False
        while not self._is_stopping():
            try:
                return self._store.load()
            except StoreUnwritableError as error:
                if not said:
                    self._log.error("store_unwritable", problem=str(error), consequence="waits until it can")
                said = True
                time.sleep(OPEN_AGAIN_SECONDS)
        return None

    def _restored(self, contents: Contents, watches: Watches) -> Restored:
        self._metrics.restore(contents.totals)
        kept = [watch for watch in watches if self._is_kept(watch, contents)]
        self._say_lost_commits()
        self._show_totals()
        last = contents.last
        if last is None:
            return Restored(watches)
        with believed(self._store.path):
            progress = _Progress(self._metrics, self._started_at, sum(map(_bytes_of(contents), kept)))
            for watch in kept:
                self._restore(watch, contents, progress)
            late, latest = self._store.unpublished(last.published), self._store.latest(FINDINGS_SHOWN)
        self._say_done(kept)
        return Restored(watches, last.number, last.published, late, latest)

    def _say_lost_commits(self) -> None:
        if self._store.lost_commits:
            self._log.error(
                "store_went_back",
                problem="the end of the write-ahead log was damaged or lost",
                commits=self._store.lost_commits,
                consequence="what they held is read and counted again; until then counters are lower",
            )

    def _say_done(self, kept: Watches) -> None:
        if kept:
            keys = sum(len(watch.ledger.held.rows) for watch in kept)
            self._log.info("restored", keys=keys, seconds=round(time.time() - self._started_at, 2))

    def _restore(self, watch: PipelineWatch, contents: Contents, progress: _Progress) -> None:
        name = watch.settings.name
        saved = contents.state(name, progress)
        self._step("restore.blocks")
        watch.restore(saved, contents.entries(name, progress), contents.watch(name))
        self._step("restore.journal")

    def _is_kept(self, watch: PipelineWatch, contents: Contents) -> bool:
        """Whether a pipeline's state is of use. A pipeline that is new has none, and lost none."""
        found = contents.configuration(watch.settings.name)
        if found is not None and found != watch.identity:
            self._metrics.restart(watch.settings.name, findings=False)
            self._lose(watch, "its configuration or the fingerprint key was changed")
        return found == watch.identity

    def _begun_anew(self, error: StoreDamagedError, watches: Watches) -> Restored:
        salvage = self._store.begin_anew(error)
        self._log.error(
            "store_reset", problem=str(error), reason=error.reason, kept_findings=len(salvage.findings)
        )
        self._metrics.restore(salvage.totals)
        for watch in watches:
            self._metrics.restart(watch.settings.name, findings=True)
            self._lose(watch, "the stored state was damaged")
        self._count(watches, salvage.findings)
        self._show_totals()
        return Restored(watches, salvage=salvage)

    def _count(self, watches: Watches, findings: list[NewFinding]) -> None:
        """Count the findings that are known, and so only those that will not count again."""
        names = {watch.settings.name for watch in watches}
        for new in findings:
            if new.finding.pipeline in names:
                count_finding(self._metrics, new.finding)

    def _lose(self, watch: PipelineWatch, why: str) -> None:
        self._log.warning(
            "coverage_lost",
            pipeline=watch.settings.name,
            problem=f"{why}; its logs are read again from the configured start",
        )
        for stage in watch.topology.stages:
            self._metrics.add("coverage_holes_total", (watch.settings.name, stage, STATE_LOST))

    def _show_totals(self) -> None:
        self._metrics.raise_to("store_resets_total", (), self._store.resets)
        self._metrics.set("store_writable", (), 1.0)
        self._metrics.publish(RunState(False, "reading the stored state", self._started_at, time.time()))
        self._step("restore.totals")


class _Progress:
    """Told how much was read; says so once in a while."""

    def __init__(self, metrics: Metrics, started_at: float, total: int) -> None:
        self._metrics = metrics
        self._started_at = started_at
        self._total = max(1, total)
        self._done = 0
        self._said_at = time.monotonic()
        self._log = structlog.get_logger()

    def __call__(self, amount: int) -> None:
        self._done += amount
        if time.monotonic() - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            ratio = min(1.0, self._done / self._total)
            state = RunState(
                False, f"reading the stored state, {ratio:.0%} done", self._started_at, time.time()
            )
            self._metrics.amend(state, {"restored_ratio": ratio})
            self._log.info("restoring", ratio=round(ratio, 3), bytes=self._total)


def _bytes_of(contents: Contents) -> Callable[[PipelineWatch], int]:
    return lambda watch: contents.nbytes(watch.settings.name)
