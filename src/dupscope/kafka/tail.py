"""The reader of one log: its partitions by explicit assignment, as batches of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.kafka.columns import Columns, Decoder
from dupscope.kafka.errors import OFFSET_OUT_OF_RANGE, error_of, reason
from dupscope.kafka.intake import PORTION_RECORDS, Intake
from dupscope.kafka.progress import Progress
from dupscope.kafka.rate import RecordBudget
from dupscope.kafka.settings import ClusterSettings, Value
from dupscope.kafka.starts import Beginning, OffsetQuery, Start, TopicPartitionKey, beginnings
from dupscope.kafka.topics import ClusterView, TopicFacts, view
from dupscope.model.batch import TailRead, no_records
from dupscope.model.errors import ClusterError
from dupscope.model.position import Partition, PartitionTable

_SLICE_SECONDS = 0.02


@dataclass(frozen=True)
class TailSettings:
    """What to read of one log. `topics`: physical topic -> logical topic."""

    cluster: ClusterSettings
    log: int
    topics: Mapping[str, str]
    start: Start = field(default_factory=Start)
    max_records_per_second: int | None = None


class Tail:
    """Reads one log. For one thread: the loop's.

    `open` may block for a few requests, `read` at most for its timeout, everything else not at all (but
    `log_starts`, which asks the brokers). Joins no group, commits nothing.
    """

    def __init__(
        self,
        settings: TailSettings,
        table: PartitionTable,
        fingerprinter: Fingerprinter,
        log: ClientLog = silent,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._table = table
        self._clock = clock
        self._logger = ClientLogger(settings.cluster, log, clock)
        self._topic_facts = TopicFacts(settings.cluster, self._logger)
        self._decoder = Decoder(settings.log, settings.topics, fingerprinter)
        self._needs_headers = fingerprinter.needs_headers
        self._progress = Progress()
        self._budget: RecordBudget | None = None
        if settings.max_records_per_second is not None:
            self._budget = RecordBudget(settings.max_records_per_second, clock)
        self._client: Consumer | None = None
        self._slots: dict[TopicPartitionKey, int] = {}
        self._lost: set[TopicPartitionKey] = set()
        self._errors: Counter[str] = Counter()
        self.beginnings: dict[int, Beginning] = {}
        """slot -> where reading began. Set anew where a lost position made reading begin again."""
        self.compacted: set[int] = set()
        """Slots whose topic is compacted."""

    def open(self, positions: Mapping[int, int] | None = None) -> None:
        """Discover the topics' partitions, number the new ones in the table and begin to fetch them.

        Partitions that a later call finds were added meanwhile: they begin at the start of their log.
        `positions` (slot -> next offset) resumes; partitions that it lacks begin at the configured start.
        Raises ClusterError, a RetryableClusterError when a later call may succeed; nothing is assigned then.
        """
        seen = view(self._consumer, self._settings.cluster, self._settings.topics)
        slots = self._numbered(seen, self._topic_facts.ids(seen))
        compacted = self._topic_facts.compacted(seen)
        resumed = {key: (positions or {})[slot] for key, slot in slots.items() if slot in (positions or {})}
        fresh = [key for key in slots if key not in resumed]
        start = Start() if self._slots else self._settings.start
        query = OffsetQuery(self._consumer, self._settings.cluster)
        begun = beginnings(query, start, fresh, self._clock.now_ms)
        self._slots |= slots
        self.compacted |= {slot for (topic, _), slot in slots.items() if topic in compacted}
        self.beginnings |= {slots[key]: beginning for key, beginning in begun.items()}
        self._assign(resumed | {key: beginning.offset for key, beginning in begun.items()})

    def read(self, max_records: int, timeout_seconds: float) -> TailRead:
        """The next records, as soon as a partition's end is met, `max_records` are there or time is up.

        At the end of the log it returns with the first record that arrives. Never raises for what a cluster
        does: errors are counted by reason, lost positions are returned as holes.
        """
        intake = Intake(self._decoder, self._settings.topics, needs_headers=self._needs_headers)
        self._fetch(intake, max_records, timeout_seconds)
        columns = intake.columns()
        read = TailRead(no_records(self._settings.log))
        if columns is not None:
            read = TailRead(columns.batch, columns.records, columns.unkeyed, columns.last_timestamp)
            self._passed(columns)
        for event in intake.events:
            self._note(event, read)
        if columns is not None or intake.events:
            self._ask_client_positions()
        if self._lost:
            self._begin_again()
        read.errors.update(self._errors)
        self._errors.clear()
        return read

    @property
    def positions(self) -> dict[int, int]:
        """Next offset by slot: records, transaction markers and aborted records below it were passed."""
        return self._progress.positions

    @property
    def at_end(self) -> set[int]:
        """Slots whose end of partition (the last stable offset) was met since their last record."""
        return self._progress.at_end

    def log_starts(self) -> dict[int, int]:
        """The first offset, by slot, that the brokers still hold, asked for now. Raises ClusterError.

        A log start above a position means records lost unread: the client does not report that.
        """
        found = OffsetQuery(self._consumer, self._settings.cluster).log_starts(list(self._slots))
        return {self._slots[key]: offset for key, offset in found.items()}

    def close(self) -> None:
        """Stop fetching. The tail cannot be used afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _consumer(self) -> Consumer:
        if self._client is None:
            self._client = consumer(
                self._settings.cluster,
                self._logger,
                on_error=self._count,
                defaults=_fetch_defaults(self._settings),
            )
        return self._client

    def _numbered(self, seen: ClusterView, ids: Mapping[str, str]) -> dict[TopicPartitionKey, int]:
        log, topics = self._settings.log, self._settings.topics
        return {
            (topic, number): self._table.slot(
                Partition(log, seen.cluster_id, ids[topic], topic, topics[topic], number)
            )
            for topic, numbers in seen.partitions.items()
            for number in numbers
            if (topic, number) not in self._slots
        }

    def _assign(self, offsets: Mapping[TopicPartitionKey, int]) -> None:
        for (topic, number), offset in offsets.items():
            slot = self._slots[topic, number]
            self._decoder.assign(topic, number, slot)
            self._progress.begin(slot, offset)
        self._consumer.incremental_assign([TopicPartition(*key, offset) for key, offset in offsets.items()])

    def _fetch(self, intake: Intake, max_records: int, timeout_seconds: float) -> None:
        limit = max_records
        if self._budget is not None:
            limit = min(limit, self._budget.available())
            if limit == 0:
                self._clock.sleep(min(timeout_seconds, self._budget.wait_seconds()))
        for messages in self._portions(limit, timeout_seconds):
            intake.take(messages)
            if self._budget is not None:
                self._budget.spend(len(messages))

    def _portions(self, limit: int, timeout_seconds: float) -> Iterator[list[Message]]:
        """At the end of the log, wait for one message and take what came with it; before it, fill up.

        The client returns a short portion only when its time is up: that is why waits are sliced.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        if limit > 0 and self._progress.all_at_end:
            messages = self._consumer.consume(1, timeout_seconds)
            yield messages
            limit = limit - 1 if messages else 0
            deadline = self._clock.monotonic()
        while limit > 0:
            left = max(deadline - self._clock.monotonic(), 0.0)
            wanted = min(limit, PORTION_RECORDS)
            messages = self._consumer.consume(wanted, min(left, _SLICE_SECONDS))
            yield messages
            limit -= len(messages)
            if len(messages) < wanted and (left <= 0 or (messages and messages[-1].error())):
                return

    def _passed(self, columns: Columns) -> None:
        self._progress.records(columns.slots, columns.offsets)
        if any(beginning.provisional for beginning in self.beginnings.values()):
            slots, first = np.unique(columns.slots, return_index=True)
            for slot, timestamp in zip(slots.tolist(), columns.timestamps[first].tolist(), strict=True):
                beginning = self.beginnings.get(slot)
                if beginning is not None and beginning.provisional:
                    self.beginnings[slot] = replace(beginning, covered_since_ms=timestamp, provisional=False)

    def _note(self, event: Message, read: TailRead) -> None:
        error = event.error()
        key = (event.topic() or "", event.partition() or 0)
        slot = self._slots.get(key)
        if error is None or error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its public name
            self._event_error(error, key, slot, read)
        elif slot is not None:
            self._progress.end(slot, event.offset() or 0)

    def _event_error(
        self, error: KafkaError | None, key: TopicPartitionKey, slot: int | None, read: TailRead
    ) -> None:
        if error is None:
            return
        self._count(error)
        if slot is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            read.holes.append((slot, OFFSET_OUT_OF_RANGE))
            self._lost.add(key)

    def _count(self, error: KafkaError) -> None:
        self._errors[reason(error)] += 1

    def _ask_client_positions(self) -> None:
        try:
            answers = self._consumer.position([TopicPartition(*key) for key in self._slots])
        except KafkaException as exception:
            self._count(error_of(exception))
            return
        for answer in answers:
            self._progress.client_position(self._slots[answer.topic, answer.partition], answer.offset)

    def _begin_again(self) -> None:
        """Give partitions whose position is lost the nearest offset that exists; later if nobody answers.

        Below the log that is its start. Beyond it (a truncated log) it is its end: what was read before must
        not be read again under other records' offsets.
        """
        lost = sorted(self._lost)
        query = OffsetQuery(self._consumer, self._settings.cluster)
        try:
            lows, ends = query.log_starts(lost), query.ends(lost)
            self._consumer.incremental_unassign([TopicPartition(*key) for key in lost])
            self._lost.clear()
            self._assign({key: max(lows[key], min(self._position(key), ends[key])) for key in lost})
        except ClusterError:
            return
        except KafkaException as exception:
            self._count(error_of(exception))
            return
        now = self._clock.now_ms()
        for key in lost:
            offset = self._position(key)
            provisional = offset == lows[key] < ends[key]
            self.beginnings[self._slots[key]] = Beginning(offset, now, provisional)

    def _position(self, key: TopicPartitionKey) -> int:
        return self._progress.position(self._slots[key])


def _fetch_defaults(settings: TailSettings) -> dict[str, Value]:
    """A slow tail keeps a short queue: what waits there is memory."""
    if settings.max_records_per_second is None:
        return {}
    return {"queued.min.messages": max(1, min(100_000, settings.max_records_per_second))}
