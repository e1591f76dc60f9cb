"""All tails of one pipeline: what is open, how far it was read, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from dupscope.app.clusters import Clusters
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.clock import Clock
from dupscope.kafka.columns import Decoder
from dupscope.kafka.errors import TOPIC_MISSING, TopicMissingError, reason_of
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.state import TailState
from dupscope.kafka.tail import Tail, TailSettings
from dupscope.ledger.cycle import Progress, padded
from dupscope.model.batch import I64, Bools
from dupscope.model.errors import ClusterError
from dupscope.model.position import PartitionTable

ENDS_AGAIN_SECONDS = 5.0
"""End offsets older than this are taken again, for the lag that is shown; log starts are asked as often."""

GONE_SECONDS = 10.0
"""A topic that is away for this long was deleted."""

BEYOND_REACH = 1 << 61
"""Where a topic ends that was deleted and not created again: a barrier there is given up in the end."""

PASSED = 1 << 62
"""The position in a partition that nobody can read any more."""

Errors = dict[int, list[str]]
"""Reasons of `tail_errors_total` by log."""


class Tails:
    """One tail a log. One thread only.

    `ends` are the high watermarks by slot that were taken last. `open_logs` are those that are being read.
    """

    def __init__(
        self,
        config: Config,
        settings: PipelineSettings,
        table: PartitionTable,
        clusters: Clusters,
        fingerprinter: Fingerprinter,
    ) -> None:
        self._settings = settings
        self._topology = settings.topology
        self._table = table
        self._clusters = clusters
        clock = Clock(now_ms=clusters.now_ms)
        reads = [
            _tail_settings(config, settings, log, clusters) for log in range(len(settings.topology.logs))
        ]
        self._tails = [
            Tail(each, table, Decoder(each.log, fingerprinter, each.redrive), clusters.log, clock)
            for each in reads
        ]
        self.open_logs: set[int] = set()
        self.ends = np.zeros(0, np.int64)
        self._grown: set[int] = set()
        self._deleted: set[int] = set()
        self._missing_since: dict[int, float] = {}
        self._gone: dict[int, dict[str, float]] = {}
        self._problems: dict[int, str] = {}
        self._end_seen_ms: dict[int, int] = {}
        self._enumerated_ms = dict.fromkeys(range(len(self._tails)), 0)
        self._ends_at = self._starts_at = -ENDS_AGAIN_SECONDS

    def __getitem__(self, log: int) -> Tail:
        return self._tails[log]

    def resume(self, states: Mapping[int, TailState]) -> None:
        """Go on from saved states, by log; before the first `open`. The table numbers what they number."""
        for log, state in states.items():
            self._tails[log].resume(state)

    def saved(self, log: int) -> TailState:
        """Where a log stands, also while it is not open yet."""
        return self._tails[log].state

    def open(self) -> dict[int, str]:
        """Open the logs that are not open yet, or grew. Returns why others cannot be, by log.

        A cluster that is left alone for a while keeps the problem that it had.
        """
        for log in self._topology.downstream_first():
            cluster = self._topology.logs[log].cluster
            if (log not in self.open_logs or log in self._grown) and self._clusters.may_ask(cluster):
                self._open_log(log, cluster)
        return dict(self._problems)

    def discover(self, log: int) -> None:
        """Look for topics of an open log that appeared since; silent where the cluster is."""
        if log in self.open_logs and self._clusters.may_ask(self._topology.logs[log].cluster):
            self._open_log(log, self._topology.logs[log].cluster)

    def _open_log(self, log: int, cluster: str) -> None:
        try:
            with self._clusters.asking(cluster):
                self._tails[log].open()
        except ClusterError as error:
            self._problems[log] = str(error)
        else:
            self.open_logs.add(log)
            self._grown.discard(log)
            self._problems.pop(log, None)

    @property
    def is_complete(self) -> bool:
        """Whether every log is open with all the partitions that it is known to have."""
        return len(self.open_logs) == len(self._tails) and not self._grown

    @property
    def without_ids(self) -> set[str]:
        """Clusters that do not tell topic ids: a topic that is created again can go unnoticed there."""
        opened = (log for log in self.open_logs if self._tails[log].slots and not self._tails[log].knows_ids)
        return {self._topology.logs[log].cluster for log in opened}

    def topics(self, log: int) -> Mapping[str, str]:
        """Physical topic -> logical topic of a log, as far as they are known."""
        return self._tails[log].topics if log in self.open_logs else self._settings.topics[log].names

    def is_up(self, log: int) -> bool:
        """Whether a log is being read: open, its topics there, and its cluster answers."""
        silent = self._clusters.is_silent(self._topology.logs[log].cluster)
        return log in self.open_logs and log not in self._deleted and not silent

    def is_at_end(self, log: int) -> bool:
        """Whether a log has nothing more to read."""
        return self._tails[log].positions.keys() <= self._tails[log].at_end

    # ------------------------------------------------------------------ where logs end

    @property
    def ends_are_old(self) -> bool:
        """Whether the lag that is shown rests on ends that were taken a while ago."""
        return self._clusters.clock() - self._ends_at >= ENDS_AGAIN_SECONDS

    def take_ends(self, errors: Errors) -> I64 | None:
        """High watermarks of all logs by slot, most downstream first; None while a log is not read whole.

        The order matters: what lies below a mirror's end has its upstream copies below the end of the log
        above, which is asked later.
        """
        if len(self.open_logs) < len(self._tails):
            return None
        self._watch_starts()
        ends = np.zeros(len(self._table), np.int64)
        for log in self._topology.downstream_first():
            if not self._take_ends_of(log, ends, errors):
                return None
        if self._grown:
            return None
        self.ends = np.where(ends < BEYOND_REACH, ends, padded(self.ends, len(ends))[: len(ends)])
        self._ends_at = self._clusters.clock()
        return ends

    def _take_ends_of(self, log: int, ends: I64, errors: Errors) -> bool:
        """Enter the ends of one log; false where they cannot be had."""
        cluster = self._topology.logs[log].cluster
        if not self._clusters.may_ask(cluster):
            return False
        asked_ms = self._clusters.now_ms()
        try:
            found = self._clusters.high_watermarks(cluster, self._settings.topics[log])
        except ClusterError as error:
            errors.setdefault(log, []).append(reason_of(error))
            return isinstance(error, TopicMissingError) and self._is_deleted(log, str(error), ends)
        self._missing_since.pop(log, None)
        if self._vanished(log, set(found.ids), errors):
            return False
        positions, mine = self._tails[log].positions, {}
        for (topic, number), end in found.offsets.items():
            slot = self._table.find(log, topic, number)
            if slot is None or slot not in positions or self._is_other(log, slot, found.ids[topic]):
                self._grown.add(log)
                return True
            mine[slot] = end
        ends[list(mine)] = list(mine.values())
        self._end_seen_ms.update({slot: asked_ms for slot, end in mine.items() if positions[slot] >= end})
        self._enumerated_ms[log] = asked_ms
        return True

    def _is_deleted(self, log: int, problem: str, ends: I64) -> bool:
        """Whether a named topic has been away for a while; enters ends that cannot be reached then."""
        now = self._clusters.clock()
        self._deleted.add(log)
        self._problems[log] = problem
        if now - self._missing_since.setdefault(log, now) < GONE_SECONDS:
            return False
        ends[list(self._tails[log].positions)] = BEYOND_REACH
        return True

    def _is_other(self, log: int, slot: int, topic_id: str) -> bool:
        """Whether a topic is not the one that a slot is read from, as far as that can be told."""
        return self._tails[log].knows_ids and self._table[slot].topic_id != topic_id

    def _vanished(self, log: int, there: set[str], errors: Errors) -> bool:
        """Whether topics that a pattern had found are gone; given up when they stay away for a while.

        What was not read of them is lost, and nothing is judged before that is settled.
        """
        gone = set(self._tails[log].topics) - there
        now = self._clusters.clock()
        self._gone[log] = {topic: self._gone.get(log, {}).get(topic, now) for topic in gone}
        late = {topic for topic, since in self._gone[log].items() if now - since >= GONE_SECONDS}
        if late:
            self._tails[log].retire_topics(late)
        if gone - late:
            self._deleted.add(log)
            errors.setdefault(log, []).append(TOPIC_MISSING)
        else:
            self._deleted.discard(log)
            self._problems.pop(log, None)
        return bool(gone)

    def _watch_starts(self) -> None:
        """Look whether records were deleted before they were read. Who does not answer fails again below."""
        if self._clusters.clock() - self._starts_at < ENDS_AGAIN_SECONDS:
            return
        self._starts_at = self._clusters.clock()
        for log, tail in enumerate(self._tails):
            cluster = self._topology.logs[log].cluster
            if self._clusters.may_ask(cluster):
                with suppress(ClusterError):
                    tail.watch_starts()

    # ------------------------------------------------------------------ how far

    def positions(self) -> dict[int, int]:
        """Next offset by slot."""
        return {slot: offset for state in self._states() for slot, offset in state.positions.items()}

    def passed(self) -> I64:
        """Next offset by slot as an array; partitions that are gone for good were passed as a whole."""
        column = np.zeros(len(self._table), np.int64)
        for slot, offset in self.positions().items():
            column[slot] = offset
        column[[slot for state in self._states() for slot in state.retired]] = PASSED
        return column

    def at_end(self) -> Bools:
        """Whether each slot was read to the end that a reader of committed records can see."""
        column = np.zeros(len(self._table), np.bool_)
        column[[slot for tail in self._tails for slot in tail.at_end]] = True
        return column

    def covered_since(self, log: int) -> int | None:
        """Coverage start of a log in ms; None: from the beginning, or not open yet."""
        return _latest(self.covered_topics(), log)

    def covered_topics(self) -> dict[tuple[int, str], int | None]:
        """As `covered_since`, by log and logical topic: a hole in one topic says nothing about another."""
        covered: dict[tuple[int, str], int | None] = {}
        for slot, beginning in self._beginnings():
            topic = self._table[slot].log, self._table[slot].logical_topic
            known, start = covered.get(topic), beginning.covered_since_ms
            covered[topic] = start if known is None else max(known, start or 0)
        return covered

    def lag_records(self, log: int) -> dict[str, int]:
        """Offsets between position and end, by physical topic, as of the last end offsets taken."""
        lag = dict.fromkeys(self.topics(log), 0)
        for slot, position in self._tails[log].positions.items():
            if slot < len(self.ends):
                lag[self._table[slot].topic] += max(0, int(self.ends[slot]) - position)
        return lag

    def progress(self, committed: Sequence[I64]) -> Progress:
        """How far everything was read, for the ledger."""
        begun, covered = np.zeros(len(self._table), np.int64), self.covered_topics()
        for slot, beginning in self._beginnings():
            begun[slot] = beginning.offset
        return Progress(
            positions=self.passed(),
            at_end=self.at_end(),
            tailed=self._tailed(),
            begun=begun,
            covered_since=tuple(_latest(covered, log) for log in range(len(self._tails))),
            committed=tuple(committed),
            truncated=self._compacted(),
            deleted=frozenset(self._deleted),
            end_seen_ms=self._ends_seen(),
            covered_topics=covered,
            enumerated_ms=min(self._enumerated_ms.values()),
        )

    def close(self) -> None:
        """Give up all connections."""
        for tail in self._tails:
            tail.close()

    def _beginnings(self) -> Iterator[tuple[int, Beginning]]:
        return (pair for state in self._states() for pair in state.beginnings.items())

    def _states(self) -> Iterator[TailState]:
        return (self.saved(log) for log in range(len(self._tails)))

    def _tailed(self) -> list[int]:
        """Slots that are read; none while a log is not open, so that nothing expires before it was seen."""
        if len(self.open_logs) < len(self._tails):
            return []
        return [slot for tail in self._tails for slot in tail.positions]

    def _compacted(self) -> frozenset[tuple[int, str]]:
        slots = (slot for tail in self._tails for slot in tail.compacted)
        return frozenset((self._table[slot].log, self._table[slot].logical_topic) for slot in slots)

    def _ends_seen(self) -> I64:
        """When each partition was last known to be read to its end, in ms; 0 for never."""
        seen = np.zeros(len(self._table), np.int64)
        for slot, moment_ms in self._end_seen_ms.items():
            seen[slot] = moment_ms
        return seen


def _latest(covered: Mapping[tuple[int, str], int | None], log: int) -> int | None:
    starts = (start for (own, _), start in covered.items() if own == log and start is not None)
    return max(starts, default=None)


def _tail_settings(config: Config, settings: PipelineSettings, log: int, clusters: Clusters) -> TailSettings:
    topology = settings.topology
    return TailSettings(
        clusters.settings[topology.logs[log].cluster],
        log,
        settings.topics[log],
        start_of(settings, log, clusters.started_ms),
        config.limits.fetch_rate,
        settings.redrive if topology.is_source(log) else RedriveMarks(),
    )


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
