"""The reader of one log: its partitions by explicit assignment, as batches of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from dupscope.kafka.assignment import Assignment
from dupscope.kafka.client import ClientLog, ClientLogger, consumer, silent
from dupscope.kafka.clock import SYSTEM_CLOCK, Clock
from dupscope.kafka.columns import Columns, RecordDecoder, without
from dupscope.kafka.errors import TOPIC_DELETED, TOPIC_MISSING, TOPIC_RECREATED, error_of, reason, reason_of
from dupscope.kafka.incarnations import Incarnations
from dupscope.kafka.intake import Fetched, Intake
from dupscope.kafka.portions import Portions
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings, Value
from dupscope.kafka.starts import Beginning, Start
from dupscope.kafka.state import TailState
from dupscope.kafka.topics import Incarnation, TopicFacts, selected
from dupscope.model.batch import TailRead, no_records
from dupscope.model.errors import ClusterError
from dupscope.model.position import PartitionTable


@dataclass(frozen=True)
class TailSettings:
    """What to read of one log, and which of its records are marked as intended replays."""

    cluster: ClusterSettings
    log: int
    topics: TopicSelection
    start: Start = field(default_factory=Start)
    max_records_per_second: int | None = None
    redrive: RedriveMarks = field(default_factory=RedriveMarks)


class Tail:
    """Reads one log. For one thread: the loop's. `decoder`, its own, makes columns of the records.

    `open`, `ends` and `watch_starts` may block for a few requests, `read` for its timeout and one request
    about topic ids, everything else not at all. Joins no group, commits nothing.

    The client reads on in a topic that was deleted and created again, without a word. So topics' ids are
    asked after each fetch, and nothing is returned before they were found unchanged. A topic with another id
    begins anew: its slots are retired, what was fetched under them is dropped, its partitions get new slots
    and begin at offset 0. Where brokers tell no ids (`knows_ids` is False) only a log that became shorter
    than our position is noticed, as a position out of range.
    """

    def __init__(
        self,
        settings: TailSettings,
        table: PartitionTable,
        decoder: RecordDecoder,
        log: ClientLog = silent,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = ClientLogger(settings.cluster, log, clock)
        self._topic_facts = TopicFacts(settings.cluster, self._logger)
        self._decoder = decoder
        self._portions = Portions(settings.max_records_per_second, clock)
        self._client: Consumer | None = None
        self._incarnations = Incarnations(settings.log, table)
        self._assignment = Assignment(self._consumer, settings.cluster, self._incarnations, clock)
        self._cluster_id = ""
        self._was_opened = False
        self._withheld: Fetched | None = None
        self._errors: Counter[str] = Counter()
        self._compaction: dict[str, bool] = {}
        self.knows_ids = False
        """Whether the cluster tells topic ids, so that no re-creation goes unnoticed. Known once open."""

    # ------------------------------------------------------------------ reading

    def resume(self, state: TailState) -> None:
        """Stand where an earlier tail stood, with the table as it was then. Asks nobody, and only once.

        Without effect on a tail that was opened or resumed, or where the earlier one never was.
        """
        if self._was_opened or not state.was_opened:
            return
        self._was_opened = True
        slots = state.positions.keys() or state.retired
        self._assignment.resume(state)
        self._compaction = dict.fromkeys(self._incarnations.topics_of(state.compacted), True)
        self._cluster_id = self._incarnations.cluster_of(slots)
        self.knows_ids = self._topic_facts.knows_ids = self._incarnations.have_ids(slots)

    def open(self, resume: TailState | None = None) -> None:
        """Discover topics and partitions, number the new ones in the table and begin to fetch them.

        What a later call finds was added meanwhile: it begins at the start of its log. So does, beside a
        state to `resume`, what that lacks; in a topic that was created again since then all begins at 0.
        Raises TopicMissingError where a named topic is missing, and other ClusterErrors; a later call may
        succeed after a RetryableClusterError. Nothing is assigned then, and nothing is lost.
        """
        if resume is not None:
            self.resume(resume)
        seen = selected(self._consumer(), self._settings.cluster, self._settings.topics)
        found = self._topic_facts.incarnations(seen)
        is_first = not self.positions
        if not is_first and not self.knows_ids:
            found = {topic: Incarnation(topic, now.numbers) for topic, now in found.items()}
        self._cluster_id = seen.cluster_id or self._cluster_id
        self._take(found, answers_admin=seen.answers_admin)
        self._was_opened = True
        if is_first:
            self.knows_ids = self._topic_facts.knows_ids

    def read(self, max_records: int, timeout_seconds: float) -> TailRead:
        """The next records, as soon as a partition's end is met, `max_records` are there or time is up.

        At the end of the log it returns with the first record that arrives. Never raises for what a cluster
        does: errors are counted by reason, lost positions are returned as holes. While topic ids cannot be
        asked, what was fetched is withheld: reads count the error and return nothing.
        """
        fetched = self._withheld or self._fetch(max_records, timeout_seconds)
        self._withheld = None
        read = TailRead(no_records(self._settings.log))
        if fetched and not self._confirm(fetched.topics):
            self._withheld = fetched
        elif fetched:
            read = self._passed(self._kept(fetched))
        if self._assignment.lost and not self._withheld:
            self._begin_at_nearest()
        read.errors.update(self._errors)
        read.holes.extend(self._assignment.holes)
        self._errors.clear()
        self._assignment.holes.clear()
        return read

    def watch_starts(self) -> None:
        """Ask where the logs start: below that, unread records are lost. The next read tells them as holes.

        Reading begins again at such a start. Does nothing while records are withheld. Raises ClusterError.
        """
        if self._withheld:
            return
        held = self._assignment.held(self.slots.values())
        if self._assignment.behind(held) and self._confirm():
            self._attempt(lambda: self._assignment.skip(held))

    def ends(self) -> dict[int, int]:
        """The last stable offset of each slot that is read, asked for now. Raises ClusterError."""
        return {slot: end for slot, (_, end) in self._assignment.held(self.slots.values()).items()}

    def retire_topics(self, topics: Collection[str]) -> None:
        """Give up topics that were deleted for good. The next read tells their partitions as holes."""
        over = {slot: self.positions[slot] for (topic, _), slot in self.slots.items() if topic in topics}
        self._assignment.retire(over, TOPIC_DELETED)

    def close(self) -> None:
        """Stop fetching. The tail cannot be used afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    # ------------------------------------------------------------------ what is known

    @property
    def slots(self) -> dict[tuple[str, int], int]:
        """(topic, partition number) -> slot of all partitions that are read now."""
        return self._incarnations.slots

    @property
    def topics(self) -> dict[str, str]:
        """Physical topic -> logical topic of all topics that are read now."""
        return dict(self._incarnations.logical)

    @property
    def topic_ids(self) -> dict[str, str]:
        """The id under which each topic is read now; its name where the cluster does not tell."""
        return dict(self._incarnations.ids)

    @property
    def retired(self) -> set[int]:
        """Slots of incarnations that are over."""
        return self._incarnations.retired

    @property
    def positions(self) -> dict[int, int]:
        """Next offset by slot: records, transaction markers and aborted records below it were passed."""
        return self._assignment.progress.positions

    @property
    def at_end(self) -> set[int]:
        """Slots whose end of partition (the last stable offset) was met since their last record."""
        return self._assignment.progress.at_end

    @property
    def beginnings(self) -> dict[int, Beginning]:
        """Slot -> where reading began, in an earlier process where it was resumed.

        Set anew where a lost position made reading begin again, and for a slot that was retired.
        """
        return self._assignment.beginnings

    @property
    def compacted(self) -> set[int]:
        """Slots whose topic was compacted when that was last asked."""
        topics = {topic for topic, is_compacted in self._compaction.items() if is_compacted}
        if not topics:
            return set()
        return {slot for slot in self.positions if self._incarnations.key(slot)[0] in topics}

    @property
    def state(self) -> TailState:
        """All that another tail needs to go on behind what reads have returned."""
        return self._assignment.state(self.compacted, was_opened=self._was_opened)

    # ------------------------------------------------------------------ topics and partitions

    def _consumer(self) -> Consumer:
        if self._client is None:
            self._client = consumer(
                self._settings.cluster,
                self._logger,
                on_error=self._count,
                defaults=_fetch_defaults(self._settings),
            )
        return self._client

    def _take(self, found: Mapping[str, Incarnation], *, answers_admin: bool) -> None:
        """Retire slots whose incarnation is over, and begin to read what is not read yet.

        What was resumed is read on also where it is missing now, as if it had vanished while it was read.
        """
        fresh, known = self._fresh(found), self.positions
        stale = self._incarnations.stale(known, found, fresh)
        resumed = known.keys() - stale - set(self.slots.values())
        start = Start() if self._was_opened else self._settings.start
        recreated = self._incarnations.topics_of(stale)
        begun = self._assignment.begun(fresh - resumed, recreated, start)
        self._compaction |= self._topic_facts.compacted(found, answers_admin=answers_admin)
        self._assignment.retire({slot: known[slot] for slot in stale}, TOPIC_RECREATED)
        self._assignment.beginnings |= begun
        for slot in sorted(fresh | resumed):
            self._decoder.assign(self._incarnations.take(slot), slot)
        self._assignment.assign({slot: beginning.offset for slot, beginning in begun.items()}, resumed)

    def _fresh(self, found: Mapping[str, Incarnation]) -> set[int]:
        logical = self._settings.topics.chosen(found)
        return {
            slot
            for topic, incarnation in found.items()
            for slot in self._incarnations.number(self._cluster_id, topic, logical[topic], incarnation)
        }

    def _confirm(self, fetched: Collection[str] | None = None) -> bool:
        """Whether what was fetched up to now is known to be of the incarnations that are read, or retired.

        Asks about the topics that brought something; None: about all.
        """
        if not self.knows_ids:
            return True
        known = self._incarnations.ids
        ids = known if fetched is None else {topic: known[topic] for topic in fetched if topic in known}
        try:
            found = self._topic_facts.described(ids)
            changed = self._incarnations.changed(found)
            if changed:
                self._take(changed, answers_admin=True)
        except ClusterError as error:
            self._errors[reason_of(error)] += 1
            return False
        if len(found) < len(ids):
            self._errors[TOPIC_MISSING] += 1
        return True

    # ------------------------------------------------------------------ one read

    def _fetch(self, max_records: int, timeout_seconds: float) -> Fetched:
        intake = Intake(self._decoder)
        at_end = self._assignment.progress.all_at_end
        for messages in self._portions.take(self._consumer(), max_records, timeout_seconds, at_end=at_end):
            intake.take(messages)
        return Fetched(intake.columns(), [(self._slot(event), event) for event in intake.events])

    def _slot(self, event: Message) -> int | None:
        return self.slots.get((event.topic() or "", event.partition() or 0))

    def _kept(self, fetched: Fetched) -> Fetched:
        """What is left of a fetch without the slots that were retired since."""
        columns = fetched.columns
        over = self.retired if columns is None else self.retired & set(np.unique(columns.slots).tolist())
        if columns is not None and over:
            columns = without(columns, over, self._incarnations.topics_of(over))
        return Fetched(columns, [(slot, event) for slot, event in fetched.events if slot not in self.retired])

    def _passed(self, fetched: Fetched) -> TailRead:
        columns = fetched.columns
        read = TailRead(no_records(self._settings.log))
        if columns is not None:
            records, unkeyed = self._by_logical(columns)
            gaps = self._assignment.records(columns, self.compacted)
            read = TailRead(columns.batch, records, unkeyed, columns.last_timestamp, gaps=gaps)
        for slot, event in fetched.events:
            self._note(slot, event)
        self._attempt(self._assignment.ask_client)
        return read

    def _by_logical(self, columns: Columns) -> tuple[Counter[str], Counter[tuple[str, str]]]:
        logical = self._incarnations.logical
        records: Counter[str] = Counter()
        unkeyed: Counter[tuple[str, str]] = Counter()
        for topic, count in columns.records.items():
            records[logical[topic]] += count
        for (topic, why), count in columns.unkeyed.items():
            unkeyed[logical[topic], why] += count
        return records, unkeyed

    def _note(self, slot: int | None, event: Message) -> None:
        error = event.error()
        if error is None:
            return
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # its public name
            self._count(error)
            if slot is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                self._assignment.lose(slot, event.offset())
        elif slot is not None:
            self._assignment.progress.end(slot, event.offset() or 0)

    def _count(self, error: KafkaError) -> None:
        self._errors[reason(error)] += 1

    def _begin_at_nearest(self) -> None:
        """Let slots whose position is lost go on where their logs allow; later if nobody answers."""
        try:
            held = self._assignment.held(self._assignment.lost)
        except ClusterError:
            return
        if self._confirm():
            lost = {slot: edges for slot, edges in held.items() if slot in self._assignment.lost}
            self._attempt(lambda: self._assignment.recover(lost))

    def _attempt(self, act: Callable[[], None]) -> None:
        """Do something that the client may refuse; that is counted."""
        try:
            act()
        except KafkaException as exception:
            self._count(error_of(exception))


def _fetch_defaults(settings: TailSettings) -> dict[str, Value]:
    """A slow tail keeps a short queue: what waits there is memory."""
    if settings.max_records_per_second is None:
        return {}
    return {"queued.min.messages": max(1, min(100_000, settings.max_records_per_second))}
