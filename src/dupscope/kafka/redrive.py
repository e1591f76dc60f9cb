"""Records that say of themselves that they were sent again on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HeaderList = Sequence[tuple[str, bytes | str | None]] | None
"""The headers of one record as the Kafka client gives them."""


@dataclass(frozen=True, slots=True)
class RedriveMarks:
    """What marks a record as an intended replay.

    headers          a record with one of these headers is one, whatever its value
    producer_header  the header in which a record names its producer
    producers        producers of which every record is one
    """

    headers: frozenset[str] = frozenset()
    producer_header: str | None = None
    producers: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.headers or (self.producer_header and self.producers))

    def marks(self, headers: HeaderList) -> bool:
        """Whether a record with these headers is an intended replay."""
        for name, value in headers or ():
            if name in self.headers:
                return True
            if name == self.producer_header and _text(value) in self.producers:
                return True
        return False


def _text(value: bytes | str | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
