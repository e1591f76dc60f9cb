"""Why something in an audit log gives no effect."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class InvalidReason(StrEnum):
    """Why a line, or what surrounds it, could not be used. A closed set."""

    NOT_JSON = "not_json"
    """The line is not one JSON object; zero bytes and a broken line are such."""

    DUPLICATE_KEYS = "duplicate_keys"
    """An object in the line has a name twice that is used here: which value counts is anybody's guess."""

    OVERSIZE = "oversize"
    """The line, or a field of its key, is longer than allowed."""

    NO_KEY = "no_key"
    """The key is absent or null."""

    BAD_KEY = "bad_key"
    """The key does not have the fields of the pipeline's business key, or is not valid Unicode."""

    NO_TIME = "no_time"
    """The line has neither a position nor a time, so that it belongs to no case."""

    BAD_TIME = "bad_time"
    """The time is neither RFC 3339 with an offset nor plausible seconds or milliseconds since 1970."""

    BAD_POSITION = "bad_position"
    """Partition and offset do not come together with a topic, or are no such numbers."""

    AMBIGUOUS_CLUSTER = "ambiguous_cluster"
    """The line names no cluster, and the sink reads a topic of this name on several."""

    UNKNOWN_TOPIC = "unknown_topic"
    """The sink does not read the topic, or the line names none and the sink reads several."""

    BAD_FIELD = "bad_field"
    """The group, outcome or effect id is of an unexpected type."""

    FOREIGN_GROUP = "foreign_group"
    """Another consumer group than the sink's wrote the line."""

    ROTATED = "rotated"
    """The file was replaced or cut; what had not been read of it is lost."""

    LOST = "lost"
    """Records of a topic were deleted, or their place in it was lost, before they were read. Counted once for
    each such span."""

    BAD_SHIPMENT = "bad_shipment"
    """A record of a topic does not say as agreed which line of which file it holds."""

    UNREADABLE = "unreadable"
    """The file exists and cannot be read. Counted once for each attempt."""


class InvalidLineError(Exception):
    """A line gives no effect. Carries the reason and nothing of the content."""

    def __init__(self, reason: InvalidReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Invalid:
    """What of a read could not be used: counts by reason, and where the first of each reason lies."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, str] = {}

    def add(self, reason: InvalidReason, place: str = "") -> None:
        """Count one. `place` is for a person, and tells nothing of the content."""
        self.counts[reason] += 1
        self.places.setdefault(reason, place)
