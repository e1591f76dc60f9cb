"""The ways in which the sink program tells what it did: for the program, and for the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from support.dump import dump, end_offsets


class AuditWay(Protocol):
    """Where the audit lines of one sink process go."""

    def options(self) -> list[str]:
        """Options of the program."""

    def section(self) -> dict[str, object]:
        """`audit` in the configuration."""

    def lines(self) -> int:
        """How many lines there are now."""


@dataclass(frozen=True)
class FileWay:
    """A file of its own."""

    path: Path

    def options(self) -> list[str]:
        return ["--audit", str(self.path)]

    def section(self) -> dict[str, object]:
        return {"file": str(self.path)}

    def lines(self) -> int:
        return self.path.read_bytes().count(b"\n") if self.path.exists() else 0


@dataclass(frozen=True)
class TopicWay:
    """A topic, which `cluster` is the configuration's name for the cluster of."""

    cluster: str
    bootstrap: str
    topic: str

    def options(self) -> list[str]:
        return ["--audit-bootstrap", self.bootstrap, "--audit-topic", self.topic]

    def section(self) -> dict[str, object]:
        return {"kafka": {"cluster": self.cluster, "topics": [self.topic]}}

    def lines(self) -> int:
        return sum(end_offsets(self.bootstrap, self.topic).values())

    def values(self) -> Iterator[bytes | None]:
        """What lies in the topic."""
        return (record.value for record in dump(self.bootstrap, self.topic))
