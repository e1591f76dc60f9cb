"""The business key of a record, read from its JSON by the definition in docs/design.md."""

from __future__ import annotations

import json

Key = tuple[tuple[str, str], ...]


class UnkeyedError(Exception):
    """A record has no business key."""


def business_key(value: bytes | None, paths: tuple[str, ...]) -> Key:
    """The typed parts of a key. Integers are the text they are written as, so they equal that string."""
    if value is None:
        raise UnkeyedError("null value")
    try:
        document = json.loads(value, parse_int=str, parse_float=lambda text: ("other", text))
    except ValueError as error:
        raise UnkeyedError("no JSON") from error
    return tuple(typed(walk(document, path)) for path in paths)


def walk(document: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            raise UnkeyedError(f"no {path}")
        document = document[name]
    return document


def typed(part: object) -> tuple[str, str]:
    if isinstance(part, bool):
        return "other", json.dumps(part)
    if isinstance(part, tuple):
        return part
    if isinstance(part, str):
        return "string", part
    raise UnkeyedError("null or no scalar")
