"""One line of an audit log to the effect that it reports."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec

from dupscope.audit.key import Key, KeyShape
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import AuditSettings
from dupscope.audit.times import to_milliseconds
from dupscope.fingerprint.canonical import text_field
from dupscope.fingerprint.paths import ODD, Wanted, compile_paths
from dupscope.fingerprint.settings import KeySpec
from dupscope.fingerprint.unkeyed import UnkeyedError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EFFECTIVE = frozenset((None, "succeeded", "unknown"))
"""Outcomes that count as an effect. One that is not known is taken for one that happened."""

_FIELDS: dict[str, tuple[Any, InvalidReason]] = {
    "group": (str | None, InvalidReason.BAD_FIELD),
    "outcome": (str | None, InvalidReason.BAD_FIELD),
    "cluster": (str | None, InvalidReason.BAD_POSITION),
    "topic": (str | None, InvalidReason.BAD_POSITION),
    "partition": (int | None, InvalidReason.BAD_POSITION),
    "offset": (int | None, InvalidReason.BAD_POSITION),
    "at": (str | int | float | None, InvalidReason.BAD_TIME),
    "effect_id": (str | int | None, InvalidReason.BAD_FIELD),
}
"""The type of each field beside the key, and what is wrong with a line where it has another one."""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What a line reports. `at` is in milliseconds since 1970, 0 where a line with a position has no time."""

    key: Key
    cluster: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    at: int
    effect_id: bytes | None


class LineReader:
    """Reads the lines of one sink."""

    def __init__(self, settings: AuditSettings, spec: KeySpec) -> None:
        self._group = settings.group
        self._shape = KeyShape(spec)
        key_type = str | int if self._shape.width == 1 else msgspec.Raw
        fields = {settings.path_of(name): Wanted(kind, None) for name, (kind, _) in _FIELDS.items()}
        key = settings.path_of("key")
        self._decode, self._get = compile_paths({**fields, key: Wanted(key_type)})
        self._names = tuple(b'"%s"' % path[-1].encode() for path in (*fields, key))
        anything = Wanted(msgspec.Raw, msgspec.Raw())
        self._decode_any, self._get_any = compile_paths(dict.fromkeys((*fields, key), anything))

    def read(self, line: bytes) -> Effect | None:
        """The effect that a line reports, None if it reports that there was none. Raises InvalidLineError."""
        if any(line.count(name) > 1 for name in self._names):
            _refuse_repeats(line)
        try:
            *values, key = self._get(self._decode(line))
        except ODD:
            *values, key = self._read_any(line)
        return self._effect(key, values)

    def _read_any(self, line: bytes) -> list[Any]:
        """As the typed decoder, for lines that it refuses; finds out what is wrong with them."""
        try:
            *written, key = map(bytes, self._get_any(self._decode_any(line.removeprefix(_BYTE_ORDER_MARK))))
        except ODD:
            raise InvalidLineError(InvalidReason.NOT_JSON) from None
        return [*map(_value, written, _FIELDS.values()), msgspec.Raw(key)]

    def _effect(self, key: str | int | msgspec.Raw, values: list[Any]) -> Effect | None:
        group, outcome, cluster, topic, partition, offset, at, effect_id = values
        if group != self._group and self._group is not None and group is not None:
            raise InvalidLineError(InvalidReason.FOREIGN_GROUP)
        if outcome not in _EFFECTIVE:
            return None
        fields = self._shape.fields(bytes(key)) if isinstance(key, msgspec.Raw) else _scalar_key(key)
        moment = _milliseconds(at, offset)
        return Effect(fields, cluster, topic, partition, offset, moment, _id_octets(effect_id))


def _refuse_repeats(line: bytes) -> None:
    """Raise InvalidLineError where an object has a name twice. What is no JSON is found out elsewhere."""
    with suppress(ValueError, RecursionError):
        json.loads(line, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise InvalidLineError(InvalidReason.DUPLICATE_KEYS)


def _id_octets(effect_id: str | int | None) -> bytes | None:
    return None if effect_id is None else str(effect_id).encode()


def _scalar_key(key: str | int) -> Key:
    try:
        return (text_field(str(key).encode()),)
    except UnkeyedError:
        raise InvalidLineError(InvalidReason.OVERSIZE) from None


def _value(written: bytes, field: tuple[Any, InvalidReason]) -> object:
    """One field's value, None where it is absent or null."""
    kind, reason = field
    try:
        value: object = msgspec.json.decode(written, type=kind) if written else None
    except ODD:
        raise InvalidLineError(reason) from None
    return value


def _milliseconds(at: str | float | None, offset: int | None) -> int:
    if at is None:
        if offset is None:
            raise InvalidLineError(InvalidReason.NO_TIME)
        return 0
    try:
        return to_milliseconds(at)
    except (ValueError, OverflowError):
        raise InvalidLineError(InvalidReason.BAD_TIME) from None
