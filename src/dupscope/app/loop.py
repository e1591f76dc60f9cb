"""The main loop: read, judge, commit, publish."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import structlog

from dupscope.app.publish import CommitTimer, Publisher
from dupscope.app.replays import DeclaredReplays
from dupscope.app.watch import PipelineWatch, Reads
from dupscope.causes.explain import explain
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.ledger.outcome import Outcome
from dupscope.model.finding import Finding
from dupscope.store.commit import Commit, Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics, RunState

IDLE_SECONDS = 0.2
OPEN_AGAIN_SECONDS = 1.0


@dataclass
class CycleWork:
    """What one cycle did to one pipeline."""

    watch: PipelineWatch
    reads: Reads
    outcome: Outcome = field(default_factory=Outcome)
    findings: tuple[Finding, ...] = ()


class Loop:
    """Runs all pipelines of one process in one thread, until `stop` or, if asked, until caught up."""

    def __init__(
        self,
        watches: list[PipelineWatch],
        store: Store,
        metrics: Metrics,
        findings: FindingLog,
        replays: DeclaredReplays,
    ) -> None:
        self._watches = watches
        self._store = store
        self._metrics = metrics
        self._findings = findings
        self._replays = replays
        self._publishers = {watch.settings.name: Publisher(metrics, watch) for watch in watches}
        self._log = structlog.get_logger()
        self._stopping = False
        self._number = 0
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
        while not self._stopping:
            self._number += 1
            self._open()
            cycle = [CycleWork(watch, watch.read(IDLE_SECONDS)) for watch in self._watches]
            for work in cycle:
                self._judge(work)
            with CommitTimer(self._metrics):
                self._store.commit(self._unit(cycle))
            self._publish(cycle)
            ledger_file.write(line for work in cycle for line in work.outcome.closed)
            if until_caught_up and self._caught_up and all(w.ledger.quiet for w in self._watches):
                break
        ledger_file.write(line for watch in self._watches for line in watch.ledger.lines())
        self._findings.close()

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
        work.outcome = work.watch.observe(self._number, int(time.time() * 1000), work.reads)
        work.watch.conclude(work.outcome, work.reads)
        work.findings = tuple(explain(finding) for finding in work.outcome.findings)

    def _unit(self, cycle: list[CycleWork]) -> Commit:
        return Commit(
            self._number,
            {work.watch.settings.name: work.watch.tails.positions() for work in cycle},
            {work.watch.settings.name: work.watch.audited() for work in cycle},
            tuple(finding for work in cycle for finding in work.findings),
        )

    def _publish(self, cycle: list[CycleWork]) -> None:
        """Show what was committed, and nothing else."""
        for work in cycle:
            publisher = self._publishers[work.watch.settings.name]
            publisher.reads(work.reads)
            publisher.outcome(work.outcome, work.findings)
            publisher.state()
        self._findings.write(finding for work in cycle for finding in work.findings)
        self._catch_up()
        self._metrics.publish(self._state())

    def _catch_up(self) -> None:
        if not self._caught_up and all(watch.is_caught_up for watch in self._watches):
            self._caught_up = True
            seconds = round(time.monotonic() - self._began, 1)
            self._log.info("ready", cycle=self._number, seconds=seconds)

    def _state(self) -> RunState:
        reason = "" if self._caught_up else self._why_not_ready()
        return RunState(self._caught_up, reason, self._started_at, time.time(), self._store.latest())

    def _why_not_ready(self) -> str:
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
