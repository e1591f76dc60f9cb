"""The main loop: read, judge, commit, publish."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from dupscope.app.audit_problems import AuditProblems
from dupscope.app.commits import Commits, CycleWork
from dupscope.app.replays import DeclaredReplays
from dupscope.app.watch import PipelineWatch
from dupscope.causes.explain import explain
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.store.commit import Step, no_step
from dupscope.telemetry.metrics import Metrics, RunState

IDLE_SECONDS = 0.2
OPEN_AGAIN_SECONDS = 1.0
WRITE_AGAIN_SECONDS = 0.5


class Loop:
    """Runs all pipelines of one process in one thread, until `stop` or, if asked, until caught up."""

    def __init__(
        self,
        watches: Sequence[PipelineWatch],
        commits: Commits,
        metrics: Metrics,
        replays: DeclaredReplays,
        step: Step = no_step,
    ) -> None:
        self._watches = watches
        self._commits = commits
        self._metrics = metrics
        self._replays = replays
        self._step = step
        self._log = structlog.get_logger()
        self._audit_problems = AuditProblems(self._log)
        self._stopping = False
        self._started_at = time.time()
        self._began = time.monotonic()
        self._opened_at = -OPEN_AGAIN_SECONDS
        self._caught_up = False
        self._problems: dict[str, dict[str, str]] = {}
        self._without_ids: set[str] = set()

    def stop(self) -> None:
        """Finish the cycle under way and return from `run`. Safe in a signal handler."""
        self._stopping = True
        for watch in self._watches:
            watch.stop()

    def run(self, ledger_file: LedgerFile, *, until_caught_up: bool = False) -> None:
        """Read and judge, cycle by cycle."""
        self._settle(ledger_file)
        while not self._stopping:
            self._commits.number += 1
            self._open()
            cycle = [CycleWork(watch, watch.read(IDLE_SECONDS)) for watch in self._watches]
            self._step("cycle.read")
            for work in cycle:
                self._judge(work)
            self._step("cycle.judged")
            self._audit_problems.say()
            self._commits.take(cycle)
            done = until_caught_up and self._is_done
            if done or self._commits.is_due:
                self._settle(ledger_file)
            elif not self._metrics.has_changed:
                self._publish()
            if done:
                break
        self._finish(ledger_file)

    # ------------------------------------------------------------------ steps

    def _open(self) -> None:
        """Open what is not open yet, once in a while, and say what cannot be read. Hear of replays."""
        now = time.monotonic()
        if now - self._opened_at >= OPEN_AGAIN_SECONDS:
            self._opened_at = now
            replays = self._replays.refresh()
            for watch in self._watches:
                watch.replays = replays.get(watch.settings.name, ())
                title = watch.topology.title
                problems = {title(log): problem for log, problem in watch.tails.open().items()}
                self._report(watch, problems | watch.unreadable_audits())
                self._declare_fallback(watch.tails.without_ids)
        if not any(watch.tails.open_logs for watch in self._watches):
            time.sleep(IDLE_SECONDS)

    def _judge(self, work: CycleWork) -> None:
        for sink, read in work.reads.sinks.items():
            self._audit_problems.note(work.watch.settings.name, work.watch.topology.sinks[sink].name, read)
        work.outcome = work.watch.observe(self._commits.number, work.reads)
        work.watch.conclude(work.outcome, work.reads)
        work.findings = tuple(explain(finding) for finding in work.outcome.findings)

    def _settle(self, ledger_file: LedgerFile) -> bool:
        """Commit what was gathered, however long that takes, and show it. False if stopped before."""
        while not self._commits.commit():
            self._commits.publish_degraded(self._state())
            if self._stopping:
                return False
            time.sleep(WRITE_AGAIN_SECONDS)
        self._publish()
        ledger_file.write(self._commits.closed_lines())
        return True

    def _publish(self) -> None:
        is_new = not self._caught_up and all(watch.is_caught_up for watch in self._watches)
        self._caught_up |= is_new
        self._commits.publish(self._state())
        if is_new:
            seconds = round(time.monotonic() - self._began, 1)
            self._log.info("ready", cycle=self._commits.number, seconds=seconds)

    def _finish(self, ledger_file: LedgerFile) -> None:
        """Leave a checkpoint behind, so that the next start has nothing to replay."""
        self._audit_problems.close()
        if self._settle(ledger_file):
            self._commits.commit(checkpoint=True)
        ledger_file.write(line for watch in self._watches for line in watch.ledger.lines())
        self._commits.close()

    @property
    def _is_done(self) -> bool:
        return self._caught_up and all(watch.ledger.quiet for watch in self._watches)

    # ------------------------------------------------------------------ what is said

    def _state(self) -> RunState:
        reason = "" if self._caught_up else self._why_not_ready()
        latest = tuple(self._commits.latest)
        return RunState(self._caught_up, reason, self._started_at, time.time(), latest)

    def _why_not_ready(self) -> str:
        if self._opened_at < 0:
            return "starting"
        absent = [
            f"{watch.settings.name}: {watch.topology.title(log)}"
            for watch in self._watches
            for log in range(len(watch.topology.logs))
            if log not in watch.tails.open_logs
        ]
        if absent:
            return f"cannot read {', '.join(absent)} yet"
        return "catching up with the ends of the logs as they were at the start"

    def _declare_fallback(self, clusters: set[str]) -> None:
        """Say once of a cluster that it does not tell topic ids."""
        for cluster in sorted(clusters - self._without_ids):
            text = "a topic that is deleted and created again is noticed only if it became shorter"
            self._log.warning("no_topic_ids", cluster=cluster, consequence=text)
        self._without_ids |= clusters

    def _report(self, watch: PipelineWatch, problems: dict[str, str]) -> None:
        """Log what cannot be read when that is new, and once more when it has passed."""
        pipeline = watch.settings.name
        before = self._problems.get(pipeline, {})
        for stage, problem in problems.items():
            if before.get(stage) != problem:
                self._log.warning("cannot_read", pipeline=pipeline, stage=stage, problem=problem)
        for stage in before.keys() - problems.keys():
            self._log.info("can_read", pipeline=pipeline, stage=stage)
        self._problems[pipeline] = problems
