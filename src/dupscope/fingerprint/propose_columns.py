"""A sample of records as columns: what each field, header or key holds, record by record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from dupscope.fingerprint.settings import KeySpec

MAX_DEPTH = 3
MAX_COLUMNS = 200
_REGISTRY_PREFIX = 5
_TIME_TEXT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_EPOCH = re.compile(r"[12]\d{9}(\d{3}){0,3}")

Cell = str | bytes | None


class Sampled(Protocol):
    """What is needed of a sampled record."""

    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes | str | None]] | None: ...  # noqa: D102


@dataclass(slots=True)
class Column:
    """One place where a key may be found. `cells` has an entry per record, None where there is nothing.

    `fractional`: some value is a number with a fraction, or true or false.
    """

    spec: KeySpec
    cells: list[Cell]
    fractional: bool = False

    @property
    def holds_times(self) -> bool:
        """All values look like moments: ISO dates, or seconds to nanoseconds since 1970."""
        texts = [cell for cell in self.cells if isinstance(cell, str)]
        return bool(texts) and all(_TIME_TEXT.fullmatch(text) or _EPOCH.fullmatch(text) for text in texts)


@dataclass(slots=True)
class Table:
    """A sample: its columns, and each record's value bytes and JSON fields.

    `undecodable` counts values that are no JSON object; None (tombstones) are counted apart.
    """

    columns: dict[KeySpec, Column]
    payloads: list[bytes | None]
    fields: list[Mapping[str, Cell]]
    undecodable: int = 0
    tombstones: int = 0

    def __len__(self) -> int:
        return len(self.payloads)


@dataclass(slots=True)
class _Builder:
    size: int
    columns: dict[KeySpec, Column] = field(default_factory=dict)

    def put(self, spec: KeySpec, row: int, cell: Cell, *, fractional: bool = False) -> None:
        column = self.columns.get(spec)
        if column is None:
            if len(self.columns) >= MAX_COLUMNS:
                return
            column = self.columns[spec] = Column(spec, [None] * self.size)
        column.cells[row] = cell
        column.fractional = column.fractional or fractional


def table(records: Sequence[Sampled]) -> Table:
    """The columns of a sample."""
    builder = _Builder(len(records))
    found = Table(builder.columns, [record.value for record in records], [])
    for row, record in enumerate(records):
        if record.key is not None:
            builder.put(KeySpec("kafka_key", ()), row, _text(record.key))
        for name, content in record.headers or ():
            if content is not None:
                builder.put(KeySpec("header", (name,)), row, _text(content))
        document = _decoded(record.value)
        found.tombstones += record.value is None
        found.undecodable += document is None and record.value is not None
        found.fields.append(_fields(builder, row, document or {}))
    return found


def _fields(builder: _Builder, row: int, document: Mapping[str, object]) -> dict[str, Cell]:
    fields: dict[str, Cell] = {}
    for path, scalar in _scalars(document, "", MAX_DEPTH):
        cell = scalar if isinstance(scalar, str) else msgspec.json.encode(scalar).decode()
        fields[path] = cell
        builder.put(KeySpec("json", (path,)), row, cell, fractional=isinstance(scalar, float | bool))
    return fields


def _decoded(value: bytes | None) -> Mapping[str, object] | None:
    """The JSON object in a value, behind a schema registry's prefix if there is one."""
    if value is None:
        return None
    content = value[_REGISTRY_PREFIX:] if value[:1] == b"\0" else value
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _scalars(document: Mapping[str, object], above: str, depth: int) -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if not name:
            continue
        step = name.replace(".", r"\.")
        path = f"{above}.{step}" if above else step
        if isinstance(value, dict) and depth > 1:
            yield from _scalars(value, path, depth - 1)
        elif isinstance(value, str | int | float | bool):
            yield path, value


def _text(content: bytes | str) -> Cell:
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        return content
