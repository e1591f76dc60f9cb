"""Lists that the demo's processes keep: files of JSON lines, and the settings they are started with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

from confluent_kafka import Message

Settings = TypeVar("Settings")


def settings_of(kind: Callable[..., Settings]) -> Settings:
    """What the command line gives to a process of the demo: one JSON object with the settings' fields."""
    return kind(**json.loads(sys.argv[1]))


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a record that was read or acknowledged."""
    number, offset = message.partition(), message.offset()
    assert number is not None, "a record that is on a log has a partition"
    assert offset is not None, "and an offset"
    return number, offset


def append(file: TextIO, fields: Mapping[str, object]) -> None:
    """Add a line and hand it to the system: what was added outlives a kill of the process."""
    file.write(json.dumps(fields) + "\n")
    file.flush()


def count(path: Path) -> int:
    """Whole lines of a file; none while there is no file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a file."""
    whole, _, _torn = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
