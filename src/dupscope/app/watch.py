"""One pipeline while it runs: its tails, audit logs and ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dupscope.app.clusters import Clusters
from dupscope.app.sinks import SinkWatch
from dupscope.audit.file import AuditFile
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.errors import RetryableClusterError, TopicMissingError
from dupscope.kafka.starts import Start
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import I64, AuditRead, TailRead
from dupscope.model.errors import ClusterError
from dupscope.model.position import PartitionTable

RECORDS_A_CYCLE = 50_000
LINES_A_CYCLE = 20_000
BUSY_READ_SECONDS = 0.5
ENDS_AGAIN_SECONDS = 5.0
"""End offsets older than this are taken again, for the lag that is shown."""
MOST_ORPHANS = 500_000
"""With more open suspects than this a log waits for those above it, so that they cannot fill the memory."""
MOST_WAITING_EFFECTS = 100_000


def reason_of(error: ClusterError) -> str:
    """What kept end offsets from being taken, as a reason of `tail_errors_total`."""
    if isinstance(error, TopicMissingError):
        return "topic_missing"
    return "unreachable" if isinstance(error, RetryableClusterError) else "access_denied"


@dataclass
class Reads:
    """What one cycle read of one pipeline, by log and by sink."""

    logs: dict[int, TailRead] = field(default_factory=dict)
    sinks: dict[int, AuditRead] = field(default_factory=dict)
    errors: dict[int, list[str]] = field(default_factory=dict)


class PipelineWatch:
    """Reads and judges one pipeline. One thread only."""

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
        self._clusters = clusters
        self._fingerprinter = Fingerprinter(secret, settings.name, settings.key)
        self._tails = {log: self._tail(config, log) for log in range(len(self.topology.logs))}
        self.sinks = [
            SinkWatch(settings, sink, self.table, clusters) for sink in range(len(self.topology.sinks))
        ]
        self._audits = {
            sink: AuditFile(audit, sink, self.sinks[sink].resolve, self._fingerprinter)
            for sink, audit in settings.audits.items()
        }
        self.open_logs: set[int] = set()
        self._grown: set[int] = set()
        self._problems: dict[int, str] = {}
        self._end_seen_ms: dict[int, int] = {}
        self.ends = np.zeros(0, np.int64)
        self._ends_at = -ENDS_AGAIN_SECONDS
        self._stopping = False
        self._targets: I64 | None = None
        self._audit_targets: dict[int, int] = {}
        self._cycle: Cycle | None = None

    # ------------------------------------------------------------------ a cycle

    def open(self) -> dict[int, str]:
        """Open the logs that are not open yet, or grew. Returns why others cannot be, by log.

        A cluster that is left alone for a while keeps the problem that it had.
        """
        for log in self.topology.downstream_first():
            cluster = self.topology.logs[log].cluster
            if (log not in self.open_logs or log in self._grown) and self._clusters.may_ask(cluster):
                try:
                    with self._clusters.asking(cluster):
                        self._tails[log].open()
                    self.open_logs.add(log)
                    self._grown.discard(log)
                    self._problems.pop(log, None)
                except ClusterError as error:
                    self._problems[log] = str(error)
        return dict(self._problems)

    def unreadable_audits(self) -> dict[str, str]:
        """Sinks whose audit file cannot be read now, with the reason for a person."""
        return {
            self.topology.sinks[sink].name: f"{audit.path}: {problem}"
            for sink, audit in self.settings.audits.items()
            if (problem := _file_problem(Path(audit.path))) is not None
        }

    @property
    def is_complete(self) -> bool:
        """Whether every log is open with all the partitions that it is known to have."""
        return len(self.open_logs) == len(self.topology.logs) and not self._grown

    def read(self, idle_seconds: float) -> Reads:
        """Read once from everything, most downstream first; if all is idle, wait for `idle_seconds`."""
        reads = Reads()
        for sink, audit in self._audits.items():
            if self._may_read_audit(sink):
                reads.sinks[sink] = audit.read(LINES_A_CYCLE)
        behind = {log for log in self.open_logs if not self._is_at_end(log)}
        share = idle_seconds / max(1, len(self.open_logs))
        for log in self.topology.downstream_first():
            if log in self.open_logs and not self._is_held_back(log, behind):
                wait = BUSY_READ_SECONDS if log in behind else share if not behind else 0.0
                wait = 0.0 if self._stopping else wait
                reads.logs[log] = self._tails[log].read(RECORDS_A_CYCLE, wait)
        return reads

    def observe(self, number: int, now_ms: int, reads: Reads) -> Outcome:
        """Hand a cycle's reads to the ledger, the audit logs' problems aside."""
        self._cycle = Cycle(
            number,
            now_ms,
            self._progress(),
            [read.batch for read in reads.logs.values()],
            [read.batch for read in reads.sinks.values()],
        )
        return self.ledger.observe(self._cycle)

    def conclude(self, outcome: Outcome, reads: Reads) -> None:
        """Take end offsets where suspects need them, and judge."""
        assert self._cycle is not None, "observe comes first"
        wanted = self.ledger.wants_barrier
        ends = self.take_ends(reads) if wanted or self._ends_are_old() else None
        self.ledger.conclude(self._cycle, ends if wanted else None, outcome)

    def take_ends(self, reads: Reads) -> I64 | None:
        """High watermarks of all logs by slot, most downstream first; None while a log is not read whole.

        The order matters: what lies below a mirror's end has its upstream copies below the end of the log
        above, which is asked later.
        """
        if len(self.open_logs) < len(self.topology.logs):
            return None
        ends = np.zeros(len(self.table), np.int64)
        for log in self.topology.downstream_first():
            cluster = self.topology.logs[log].cluster
            if not self._clusters.may_ask(cluster):
                return None
            asked_ms = time.time_ns() // 1_000_000
            try:
                found = self._clusters.high_watermarks(cluster, self.settings.topics[log])
            except ClusterError as error:
                reads.errors.setdefault(log, []).append(reason_of(error))
                return None
            positions = self._tails[log].positions
            for (topic, number), end in found.items():
                slot = self.table.find(log, topic, number)
                if slot is None or slot not in positions:
                    self._grown.add(log)
                    continue
                ends[slot] = end
                if positions[slot] >= end:
                    self._end_seen_ms[slot] = asked_ms
        if self._grown:
            return None
        self.ends = ends
        self._ends_at = time.monotonic()
        if self._targets is None:
            self._targets = ends
            self._audit_targets = {sink: audit.size() for sink, audit in self._audits.items()}
        return ends

    def _ends_are_old(self) -> bool:
        return time.monotonic() - self._ends_at >= ENDS_AGAIN_SECONDS

    # ---------------------------------------------------------------- how far

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was there when all logs were open has been read."""
        if self._targets is None:
            return False
        positions, at_end = self._positions(), self._at_end()
        done = (positions[: len(self._targets)] >= self._targets) | at_end[: len(self._targets)]
        audits = all(self._audits[sink].position >= size for sink, size in self._audit_targets.items())
        return bool(done.all()) and audits

    def positions(self) -> Mapping[int, int]:
        """Next offset by slot."""
        return {slot: offset for tail in self._tails.values() for slot, offset in tail.positions.items()}

    def audited(self) -> Mapping[int, int]:
        """Bytes read of each sink's audit log."""
        return {sink: audit.position for sink, audit in self._audits.items()}

    def covered_since(self, log: int) -> int | None:
        """Coverage start of a log in ms; None: from the beginning, or not open yet."""
        starts = [b.covered_since_ms for b in self._tails[log].beginnings.values()]
        return max((start for start in starts if start is not None), default=None)

    def covered_since_ms(self, log: int) -> int | None:
        """As `covered_since`, moved by evictions."""
        start, evicted = self.covered_since(log), self.ledger.held.retention.evicted_until
        return max((moment for moment in (start, evicted) if moment is not None), default=None)

    def lag_records(self, log: int) -> dict[str, int]:
        """Offsets between position and end, by physical topic, as of the last end offsets taken."""
        lag = dict.fromkeys(self.settings.topics[log], 0)
        for slot, position in self._tails[log].positions.items():
            if slot < len(self.ends):
                lag[self.table[slot].topic] += max(0, int(self.ends[slot]) - position)
        return lag

    def is_up(self, log: int) -> bool:
        """Whether a log is being read: open, and its cluster answers."""
        return log in self.open_logs and not self._clusters.is_silent(self.topology.logs[log].cluster)

    def stop(self) -> None:
        """Wait for nothing any more. Safe in a signal handler."""
        self._stopping = True
        self._clusters.stop()

    def close(self) -> None:
        """Give up all connections and files."""
        for tail in self._tails.values():
            tail.close()
        for audit in self._audits.values():
            audit.close()

    # ---------------------------------------------------------------- wiring

    def _tail(self, config: Config, log: int) -> Tail:
        cluster = self._clusters.settings[self.topology.logs[log].cluster]
        settings = TailSettings(
            cluster,
            log,
            self.settings.topics[log],
            start_of(self.settings, log, self._clusters.started_ms),
            config.limits.fetch_rate,
        )
        return Tail(settings, self.table, self._fingerprinter, self._clusters.log)

    def _is_at_end(self, log: int) -> bool:
        tail = self._tails[log]
        return tail.positions.keys() <= tail.at_end

    def _is_held_back(self, log: int, behind: set[int]) -> bool:
        """A log with too many suspects waits while a log above it has more to read."""
        above = set(self.topology.above(log))
        return bool(above & behind) and self.ledger.suspects().get(log, 0) > MOST_ORPHANS

    def _may_read_audit(self, sink: int) -> bool:
        """Positions can be placed once the logs are known; too many waiting effects hold the audit back."""
        known = set(self.topology.seen_by(sink)) <= self.open_logs
        return known and len(self.ledger.intake.waiting[sink]) < MOST_WAITING_EFFECTS

    def _positions(self) -> I64:
        positions = np.zeros(len(self.table), np.int64)
        for slot, offset in self.positions().items():
            positions[slot] = offset
        return positions

    def _at_end(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        at_end = np.zeros(len(self.table), np.bool_)
        at_end[[slot for tail in self._tails.values() for slot in tail.at_end]] = True
        return at_end

    def _ends_seen(self) -> I64:
        """When each partition was last known to be read to its end, in ms; 0 for never."""
        seen = np.zeros(len(self.table), np.int64)
        for slot, moment_ms in self._end_seen_ms.items():
            seen[slot] = moment_ms
        return seen

    def _tailed(self) -> list[int]:
        """Slots that are read; none while a log is not open, so that nothing expires before it was seen."""
        if len(self.open_logs) < len(self.topology.logs):
            return []
        return [slot for tail in self._tails.values() for slot in tail.positions]

    def _progress(self) -> Progress:
        begun = np.zeros(len(self.table), np.int64)
        compacted: set[int] = set()
        for log, tail in self._tails.items():
            for slot, beginning in tail.beginnings.items():
                begun[slot] = beginning.offset
            if tail.compacted:
                compacted.add(log)
        return Progress(
            positions=self._positions(),
            at_end=self._at_end(),
            tailed=self._tailed(),
            begun=begun,
            covered_since=tuple(self.covered_since(log) for log in range(len(self.topology.logs))),
            committed=tuple(sink.committed() for sink in self.sinks),
            truncated=frozenset(compacted),
            end_seen_ms=self._ends_seen(),
        )


def _file_problem(path: Path) -> str | None:
    if not path.exists():
        return "there is no such file yet"
    if not path.is_file():
        return "is no file"
    return None if os.access(path, os.R_OK) else "may not be read"


def start_of(settings: PipelineSettings, log: int, started_ms: int) -> Start:
    """Where to begin: upstream a margin before downstream, so that no copy comes without its original."""
    at, topology = settings.start, settings.topology
    deepest = max(topology.depth(other) for other in range(len(topology.logs)))
    levels = deepest - topology.depth(log)
    if at.kind == "earliest":
        return Start("earliest")
    if at.kind == "latest" and not levels:
        return Start("latest")
    back = (at.seconds or 0.0) + levels * settings.margin_seconds
    return Start("timestamp", started_ms - int(back * 1000))


def _ledger_settings(config: Config, settings: PipelineSettings, *, keep_lines: bool) -> LedgerSettings:
    return LedgerSettings(
        keep_lines=keep_lines,
        window_ms=int(settings.window_seconds * 1000),
        margin_ms=int(settings.margin_seconds * 1000),
        memory_bytes=config.limits.memory_bytes // len(config.pipelines),
    )
