"""One pipeline while it runs: its tails, audit logs and ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from dupscope.app.audit_start import started
from dupscope.app.clusters import Clusters
from dupscope.app.groups import GroupWatch
from dupscope.app.identity import identity
from dupscope.app.limits import shares
from dupscope.app.sinks import SinkWatch
from dupscope.app.tails import Errors, Tails
from dupscope.audit.log import AuditLog
from dupscope.audit.sources import source_of
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.clock import Clock
from dupscope.kafka.state import TailState
from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.ledger import Ledger
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.settings import LedgerSettings
from dupscope.model.batch import I64, AuditRead, TailRead
from dupscope.model.errors import StoreDamagedError
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable
from dupscope.model.replay import Replay
from dupscope.store.commit import Checkpoint
from dupscope.store.contents import SavedState
from dupscope.store.entries import Entry, outcome_digest

RECORDS_A_CYCLE = 50_000
LINES_A_CYCLE = 20_000
BUSY_READ_SECONDS = 0.5
MOST_ORPHANS = 500_000
"""With more open suspects than this a log waits for those above it, so that they cannot fill the memory."""
MOST_WAITING_EFFECTS = 100_000


@dataclass
class Reads:
    """What one cycle read of one pipeline, by log and by sink.

    redelivered  by sink: offsets below commits of its group that moved back
    """

    logs: dict[int, TailRead] = field(default_factory=dict)
    sinks: dict[int, AuditRead] = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)
    redelivered: dict[int, int] = field(default_factory=dict)


class PipelineWatch:
    """Reads and judges one pipeline. One thread only.

    `replays` are those that are declared now, `identity` tells whether a stored state is this pipeline's, and
    `entries` are the cycles that were not committed yet.
    """

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
        self.identity = identity(config, settings.name, secret)
        self.table = PartitionTable()
        self._ledger_settings = _ledger_settings(config, settings, keep_lines=keep_lines)
        self.ledger = Ledger(settings.topology, self._ledger_settings, self.table)
        self.entries: list[Entry] = []
        self._noted_partitions = 0
        self.is_stored = False
        """The store has a checkpoint of this very ledger, and its journal since."""
        self.replays: tuple[Replay, ...] = tuple(config.replays.get(settings.name, ()))
        self._clusters = clusters
        fingerprinter = Fingerprinter(secret, settings.name, settings.key)
        self.tails = Tails(config, settings, self.table, clusters, fingerprinter)
        self.sinks = [
            SinkWatch(settings, sink, self.table, clusters, self.tails.discover)
            for sink in range(len(self.topology.sinks))
        ]
        self._groups = [
            GroupWatch(settings, sink, self.table, clusters) for sink in range(len(self.topology.sinks))
        ]
        clock = Clock(monotonic=clusters.clock, now_ms=clusters.now_ms)
        self._audits = {
            sink: AuditLog(
                audit,
                sink,
                self.sinks[sink].resolve,
                fingerprinter,
                source=source_of(started(audit, settings, clusters), clock, clusters.log),
                now_ms=clusters.now_ms,
            )
            for sink, audit in settings.audits.items()
        }
        self._stopping = False
        self._targets: I64 | None = None
        self._audit_goals: dict[int, object] = {}
        self._cycle: Cycle | None = None

    # ------------------------------------------------------------------ a cycle

    def unreadable_audits(self) -> dict[str, str]:
        """Sinks whose audit log cannot be read now, with the reason for a person."""
        return {
            self.topology.sinks[sink].name: problem
            for sink, audit in self._audits.items()
            if (problem := audit.problem()) is not None
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

    def observe(self, number: int, reads: Reads) -> Outcome:
        """Hand a cycle's reads to the ledger, the audit logs' problems aside."""
        passed = self.tails.passed()
        for sink, audit in reads.sinks.items():
            self._groups[sink].read(audit.complete_ms)
        committed = [group.committed(passed) for group in self._groups]
        reads.redelivered = {sink: group.redelivered() for sink, group in enumerate(self._groups)}
        self._cycle = Cycle(
            number,
            self._clusters.now_ms(),
            self._with_expectations(self.tails.progress(committed)),
            [read.batch for read in reads.logs.values()],
            [read.batch for read in reads.sinks.values()],
            [gap for read in reads.logs.values() for gap in read.gaps],
            self.replays,
        )
        return self.ledger.observe(self._cycle)

    def _with_expectations(self, progress: Progress) -> Progress:
        """Progress with what is settled of the sinks of which effects are expected, if there are any."""
        if not any(sink.expects for sink in self.topology.sinks):
            return progress
        settled = tuple(group.settled for group in self._groups)
        return replace(progress, settled=settled, settled_from=tuple(group.first for group in self._groups))

    def conclude(self, outcome: Outcome, reads: Reads) -> None:
        """Take end offsets where suspects need them, and judge."""
        assert self._cycle is not None, "observe comes first"
        wanted = self.ledger.wants_barrier
        ends = self.take_ends(reads) if wanted or self.tails.ends_are_old else None
        ends = ends if wanted else None
        self.ledger.conclude(self._cycle, ends, outcome)
        new = tuple(self.table.partitions[self._noted_partitions :])
        self._noted_partitions = len(self.table)
        self.entries.append(Entry(self._cycle, ends, new, outcome_digest(outcome)))

    def take_ends(self, reads: Reads) -> I64 | None:
        """High watermarks of all logs by slot, None where they cannot be had. The first ones are the goal."""
        ends = self.tails.take_ends(reads.errors)
        if ends is not None and self._targets is None:
            self._targets = ends
            self._audit_goals = {sink: audit.goal() for sink, audit in self._audits.items()}
        return ends

    # ---------------------------------------------------------------- what is stored

    def saved(self) -> Plain:
        """Where tails, audit logs and groups stand, and the memory that the ledger was given."""
        logs = range(len(self.topology.logs))
        return {
            "memory_bytes": self._ledger_settings.memory_bytes,
            "tails": [self.tails.saved(log).tree() for log in logs],
            "audits": {sink: audit.saved() for sink, audit in self._audits.items()},
            "groups": [group.saved() for group in self._groups],
        }

    def checkpoint(self) -> Checkpoint:
        """The ledger's state: what changed since the checkpoint before, or all where none is stored."""
        return Checkpoint(self.ledger.export(whole=not self.is_stored), list(self.table.partitions))

    def restore(self, saved: SavedState, entries: Iterable[Entry], where: Any) -> None:  # noqa: ANN401 - as `saved`
        """Become what was committed. Raises StoreDamagedError where that does not add up."""
        for partition in saved.partitions:
            self.table.slot(partition)
        settings = replace(self._ledger_settings, memory_bytes=where["memory_bytes"])
        ledger = Ledger(self.topology, settings, self.table)
        ledger.restore(saved.state)
        for entry in entries:
            self._replay(ledger, entry)
        self._noted_partitions = len(self.table)
        self.is_stored = where["memory_bytes"] == self._ledger_settings.memory_bytes
        self.ledger = ledger if self.is_stored else self._resized(ledger)
        self.tails.resume({log: TailState.from_tree(tree) for log, tree in enumerate(where["tails"])})
        for sink, tree in where["audits"].items():
            if sink in self._audits:
                self._audits[sink].resume(tree)
        for group, tree in zip(self._groups, where.get("groups", ()), strict=False):
            group.resume(tree)

    def _replay(self, ledger: Ledger, entry: Entry) -> None:
        """Hand a cycle to the ledger again. What it concluded was committed then."""
        for partition in entry.partitions:
            self.table.slot(partition)
        outcome = ledger.observe(entry.cycle)
        ledger.conclude(entry.cycle, entry.ends, outcome)
        if outcome_digest(outcome) != entry.outcome:
            text = (
                f"pipeline {self.settings.name}: cycle {entry.cycle.number} comes out otherwise than before"
            )
            raise StoreDamagedError(text, "replay")

    def _resized(self, ledger: Ledger) -> Ledger:
        """The ledger with the memory that is configured now; its journal needed the one of its time."""
        resized = Ledger(self.topology, self._ledger_settings, self.table)
        resized.restore(ledger.export(whole=True))
        return resized

    # ---------------------------------------------------------------- how far

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was there when all logs were open has been read."""
        if self._targets is None:
            return False
        size = len(self._targets)
        done = (self.tails.passed()[:size] >= self._targets) | self.tails.at_end()[:size]
        audits = all(self._audits[sink].has_reached(goal) for sink, goal in self._audit_goals.items())
        return bool(done.all()) and audits

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


def _ledger_settings(config: Config, settings: PipelineSettings, *, keep_lines: bool) -> LedgerSettings:
    return LedgerSettings(
        keep_lines=keep_lines,
        window_ms=int(settings.window_seconds * 1000),
        margin_ms=int(settings.margin_seconds * 1000),
        memory_bytes=shares(config).ledger_bytes // len(config.pipelines),
    )
