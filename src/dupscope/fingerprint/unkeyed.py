"""Why something has no usable business key."""

from __future__ import annotations

from enum import StrEnum


class Unkeyed(StrEnum):
    """Why a record or an audit line has no usable business key. A closed set."""

    NULL_KEY = "null_key"
    """A JSON null, a null Kafka key or header, or a tombstone where the key is in the value."""

    MISSING_PATH = "missing_path"
    """There is no such header or path; also where the document, or a step on the way, is no object."""

    UNDECODABLE = "undecodable"
    """The value is not JSON, or the key in it is not valid Unicode."""

    NOT_SCALAR = "not_scalar"
    """The path leads to an object or to an array."""

    OVERSIZE = "oversize"
    """The value, or one field of the business key, is longer than allowed. Never decoded, never digested."""


class UnkeyedError(Exception):
    """One record or line has no usable business key. Carries the reason and nothing of the content."""

    def __init__(self, reason: Unkeyed) -> None:
        super().__init__(reason.value)
        self.reason = reason
