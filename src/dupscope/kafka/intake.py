"""One read's messages, on their way to columns."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Message

from dupscope.kafka.columns import Columns, RecordDecoder, joined_columns
from dupscope.kafka.fields import Fields, fields_of, joined_fields, split

PORTION_RECORDS = 2_000
"""Messages to take at a time: their memory stays in the processor's cache and is used again for the next."""

BLOCK_RECORDS = 8_000
"""Records to fingerprint at a time: enough to vectorise, few enough for their values to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch brought, under the slots that its partitions had then."""

    columns: Columns | None
    events: list[tuple[int | None, Message]]

    def __bool__(self) -> bool:
        return self.columns is not None or bool(self.events)

    @property
    def topics(self) -> set[str]:
        """The topics that records or events came from."""
        told = {event.topic() or "" for _, event in self.events}
        return told if self.columns is None else told | set(self.columns.records)


class Intake:
    """Takes messages apart in portions and lets go of them at once; makes columns in blocks."""

    def __init__(self, decoder: RecordDecoder) -> None:
        self._decoder = decoder
        self._fields: list[Fields] = []
        self._waiting = 0
        self._columns: list[Columns] = []
        self.events: list[Message] = []
        """What the client reports beside records: errors, ends of partitions."""

    def take(self, messages: list[Message]) -> None:
        """Keep the records' fields and the events of one portion."""
        records, timestamps, events = split(messages)
        self.events += events
        if records:
            portion = fields_of(
                records, timestamps, self._decoder.topics, headers=self._decoder.needs_headers
            )
            self._fields.append(portion)
            self._waiting += len(portion)
        if self._waiting >= BLOCK_RECORDS:
            self._decode()

    def columns(self) -> Columns | None:
        """Everything taken, in order; None without a record."""
        if self._fields:
            self._decode()
        return joined_columns(self._columns) if self._columns else None

    def _decode(self) -> None:
        self._columns.append(self._decoder.decode(joined_fields(self._fields)))
        self._fields.clear()
        self._waiting = 0
