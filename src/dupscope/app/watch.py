"""One pipeline while it runs: its tails, audit logs and ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.app.clusters import Clusters
from dupscope.app.sinks import SinkWatch
from dupscope.app.tails import Errors, Tails
from dupscope.audit.file import AuditFile
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.ledger.cycle import Cycle
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import I64, AuditRead, TailRead
from dupscope.model.position import PartitionTable
from dupscope.model.replay import Replay

RECORDS_A_CYCLE = 50_000
LINES_A_CYCLE = 20_000
BUSY_READ_SECONDS = 0.5
MOST_ORPHANS = 500_000
"""With more open suspects than this a log waits for those above it, so that they cannot fill the memory."""
MOST_WAITING_EFFECTS = 100_000


@dataclass
class Reads:
    """What one cycle read of one pipeline, by log and by sink."""

    logs: dict[int, TailRead] = field(default_factory=dict)
    sinks: dict[int, AuditRead] = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)


class PipelineWatch:
    """Reads and judges one pipeline. One thread only. `replays` are those that are declared now."""

    def __init__(
        self,
        config: Config,
        settings: PipelineSettings,
        secret: bytes,
        clusters: Clusters,
        *,
        keep_lines: bool = False,
    ) -> None:
        self.settings = settings
        self.topology = settings.topology
        self.table = PartitionTable()
        self.ledger = Ledger(
            settings.topology, _ledger_settings(config, settings, keep_lines=keep_lines), self.table
        )
        self.replays: tuple[Replay, ...] = tuple(config.replays.get(settings.name, ()))
        self._clusters = clusters
        fingerprinter = Fingerprinter(secret, settings.name, settings.key)
        self.tails = Tails(config, settings, self.table, clusters, fingerprinter)
        self.sinks = [
            SinkWatch(settings, sink, self.table, clusters, self.tails.discover)
            for sink in range(len(self.topology.sinks))
        ]
        self._audits = {
            sink: AuditFile(audit, sink, self.sinks[sink].resolve, fingerprinter)
            for sink, audit in settings.audits.items()
        }
        self._stopping = False
        self._targets: I64 | None = None
        self._audit_targets: dict[int, int] = {}
        self._cycle: Cycle | None = None

    # ------------------------------------------------------------------ a cycle

    def unreadable_audits(self) -> dict[str, str]:
        """Sinks whose audit file cannot be read now, with the reason for a person."""
        return {
            self.topology.sinks[sink].name: f"{audit.path}: {problem}"
            for sink, audit in self.settings.audits.items()
            if (problem := _file_problem(Path(audit.path))) is not None
        }

    def read(self, idle_seconds: float) -> Reads:
        """Read once from everything, most downstream first; if all is idle, wait for `idle_seconds`."""
        reads, open_logs = Reads(), self.tails.open_logs
        for sink, audit in self._audits.items():
            if self._may_read_audit(sink):
                reads.sinks[sink] = audit.read(LINES_A_CYCLE)
        behind = {log for log in open_logs if not self.tails.is_at_end(log)}
        share = idle_seconds / max(1, len(open_logs))
        for log in self.topology.downstream_first():
            if log in open_logs and not self._is_held_back(log, behind):
                wait = BUSY_READ_SECONDS if log in behind else share if not behind else 0.0
                wait = 0.0 if self._stopping else wait
                reads.logs[log] = self.tails[log].read(RECORDS_A_CYCLE, wait)
        return reads

    def observe(self, number: int, now_ms: int, reads: Reads) -> Outcome:
        """Hand a cycle's reads to the ledger, the audit logs' problems aside."""
        self._cycle = Cycle(
            number,
            now_ms,
            self.tails.progress([sink.committed() for sink in self.sinks]),
            [read.batch for read in reads.logs.values()],
            [read.batch for read in reads.sinks.values()],
            [gap for read in reads.logs.values() for gap in read.gaps],
            self.replays,
        )
        return self.ledger.observe(self._cycle)

    def conclude(self, outcome: Outcome, reads: Reads) -> None:
        """Take end offsets where suspects need them, and judge."""
        assert self._cycle is not None, "observe comes first"
        wanted = self.ledger.wants_barrier
        ends = self.take_ends(reads) if wanted or self.tails.ends_are_old else None
        self.ledger.conclude(self._cycle, ends if wanted else None, outcome)

    def take_ends(self, reads: Reads) -> I64 | None:
        """High watermarks of all logs by slot, None where they cannot be had. The first ones are the goal."""
        ends = self.tails.take_ends(reads.errors)
        if ends is not None and self._targets is None:
            self._targets = ends
            self._audit_targets = {sink: audit.size() for sink, audit in self._audits.items()}
        return ends

    # ---------------------------------------------------------------- how far

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was there when all logs were open has been read."""
        if self._targets is None:
            return False
        size = len(self._targets)
        done = (self.tails.passed()[:size] >= self._targets) | self.tails.at_end()[:size]
        audits = all(self._audits[sink].position >= size for sink, size in self._audit_targets.items())
        return bool(done.all()) and audits

    def audited(self) -> Mapping[int, int]:
        """Bytes read of each sink's audit log."""
        return {sink: audit.position for sink, audit in self._audits.items()}

    def covered_since_ms(self, log: int) -> int | None:
        """Coverage start of a log in ms, moved by evictions; None: from the beginning, or not open yet."""
        start, evicted = self.tails.covered_since(log), self.ledger.held.retention.evicted_until
        return max((moment for moment in (start, evicted) if moment is not None), default=None)

    def stop(self) -> None:
        """Wait for nothing any more. Safe in a signal handler."""
        self._stopping = True
        self._clusters.stop()

    def close(self) -> None:
        """Give up all connections and files."""
        self.tails.close()
        for audit in self._audits.values():
            audit.close()

    def _is_held_back(self, log: int, behind: set[int]) -> bool:
        """A log with too many suspects waits while a log above it has more to read."""
        above = set(self.topology.above(log))
        return bool(above & behind) and self.ledger.suspects().get(log, 0) > MOST_ORPHANS

    def _may_read_audit(self, sink: int) -> bool:
        """Positions can be placed once the logs are known; too many waiting effects hold the audit back."""
        known = all(self._is_known(log) for log in self.topology.seen_by(sink))
        return known and len(self.ledger.intake.waiting[sink]) < MOST_WAITING_EFFECTS

    def _is_known(self, log: int) -> bool:
        """Whether the topics of a log can be told; those of a pattern only while its cluster answers."""
        if self.settings.topics[log].patterns:
            return self.tails.is_up(log)
        return log in self.tails.open_logs


def _file_problem(path: Path) -> str | None:
    if not path.exists():
        return "there is no such file yet"
    if not path.is_file():
        return "is no file"
    return None if os.access(path, os.R_OK) else "may not be read"


def _ledger_settings(config: Config, settings: PipelineSettings, *, keep_lines: bool) -> LedgerSettings:
    return LedgerSettings(
        keep_lines=keep_lines,
        window_ms=int(settings.window_seconds * 1000),
        margin_ms=int(settings.margin_seconds * 1000),
        memory_bytes=config.limits.memory_bytes // len(config.pipelines),
    )
