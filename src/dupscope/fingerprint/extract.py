"""Business keys out of columns of bytes.

A whole column is read at C speed as long as every entry is as expected: text or integers, nothing null.
Otherwise entry by entry, where each odd one is counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import msgspec
import numpy as np

from dupscope.fingerprint.canonical import Field, canonical, canonical_texts, octets_field, text_field
from dupscope.fingerprint.paths import ODD, Steps, Wanted, compile_paths
from dupscope.fingerprint.scalar import scalar_field
from dupscope.fingerprint.settings import KeySpec, split_path
from dupscope.fingerprint.siphash import Messages, pack_messages
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError
from dupscope.model.batch import Bools

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_REGISTRY_MAGIC = b"\0"
_first_byte, _behind_prefix = itemgetter(slice(1)), itemgetter(slice(5, None))
"""A schema registry's serialiser writes a zero and a schema id of four bytes before the JSON."""

Source = bytes | Unkeyed | None
"""What holds a record's key: bytes, null, or the reason why there is nothing."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The canonical forms of the keyed entries in their order, which entries those are, and the others."""

    forms: Messages
    keyed: Bools
    unkeyed: Counter[str]


class KeyReader(Protocol):
    """Reads the business key out of the bytes that hold it."""

    def texts(self, column: Sequence[bytes]) -> list[list[bytes]]:
        """One column of UTF-8 per field. Raises one of `ODD` if any field is not text."""

    def fields(self, octets: bytes) -> tuple[Field, ...]:
        """The key of one entry, with the same result for text. Raises UnkeyedError."""


def key_reader(spec: KeySpec) -> KeyReader:
    """The reader for the keys that a specification names."""
    return JsonReader(spec.paths) if spec.kind == "json" else OctetsReader()


def read_keys(reader: KeyReader, column: Sequence[Source], max_bytes: int) -> KeyColumn:
    """The keys of a column. An entry longer than `max_bytes` is not read."""
    try:
        if max(map(len, column), default=0) <= max_bytes:  # type: ignore[arg-type]
            forms = canonical_texts(reader.texts(column))  # type: ignore[arg-type]
            return KeyColumn(forms, np.ones(len(column), np.bool_), Counter())
    except (*ODD, UnkeyedError):
        pass
    present = [source for source in column if isinstance(source, bytes)]
    if len(present) < len(column):
        return _with_absent(read_keys(reader, present, max_bytes), column)
    return _one_by_one(reader, present, max_bytes)


def _with_absent(present: KeyColumn, column: Sequence[Source]) -> KeyColumn:
    """The keys of a column, given those of its entries that are bytes."""
    keyed = np.fromiter((isinstance(source, bytes) for source in column), np.bool_, len(column))
    keyed[keyed] = present.keyed
    reasons = (source or Unkeyed.NULL_KEY for source in column if not isinstance(source, bytes))
    return KeyColumn(present.forms, keyed, present.unkeyed + Counter(reason.value for reason in reasons))


def _one_by_one(reader: KeyReader, column: Sequence[bytes], max_bytes: int) -> KeyColumn:
    found = [_form(reader, octets, max_bytes) for octets in column]
    keyed = np.fromiter((type(form) is bytes for form in found), np.bool_, len(found))
    forms = [form for form in found if type(form) is bytes]
    unkeyed = Counter(form.value for form in found if isinstance(form, Unkeyed))
    return KeyColumn(pack_messages(forms), keyed, unkeyed)


def _form(reader: KeyReader, octets: bytes, max_bytes: int) -> bytes | Unkeyed:
    if len(octets) > max_bytes:
        return Unkeyed.OVERSIZE
    try:
        return canonical(reader.fields(octets))
    except UnkeyedError as error:
        return error.reason


class OctetsReader:
    """The bytes are the key: UTF-8 is text, other bytes are binary."""

    def texts(self, column: Sequence[bytes]) -> list[list[bytes]]:
        """One column, if all of it is UTF-8."""
        if not b"".join(column).isascii():
            for _ in map(bytes.decode, column):
                pass
        return [list(column)]

    def fields(self, octets: bytes) -> tuple[Field, ...]:
        """One field."""
        return (octets_field(octets),)


class JsonReader:
    """The key is at one or several paths of a JSON document, maybe behind a schema registry's prefix."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        steps = [split_path(path) for path in paths]
        self._decode, self._get = compile_paths({path: Wanted(str | int) for path in steps})
        self._single = len(steps) == 1
        self._walks = [_Walk(path) for path in steps]

    def texts(self, column: Sequence[bytes]) -> list[list[bytes]]:
        """One column per path."""
        found = list(map(self._get, map(self._decode, _without_prefix(column))))
        columns = [found] if self._single or not found else list(zip(*found, strict=True))
        return [_encoded(texts) for texts in columns]

    def fields(self, octets: bytes) -> tuple[Field, ...]:
        """One field per path."""
        document = _behind_prefix(octets) if octets.startswith(_REGISTRY_MAGIC) else octets
        try:
            found = self._get(self._decode(document))
            texts = _encoded((found,) if self._single else found)
        except ODD:
            return tuple(walk.field(document) for walk in self._walks)
        return tuple(map(text_field, texts))


def _without_prefix(column: Sequence[bytes]) -> Sequence[bytes]:
    """The documents of a column that is expected to be either wholly prefixed or not at all."""
    if not column or not column[0].startswith(_REGISTRY_MAGIC):
        return column
    if set(map(_first_byte, column)) != {_REGISTRY_MAGIC}:
        raise ValueError("only some values have a schema registry's prefix")
    return list(map(_behind_prefix, column))


def _encoded(texts: Sequence[Any]) -> list[bytes]:
    """Text and integers as UTF-8."""
    try:
        return list(map(str.encode, texts))
    except TypeError:
        return [str(text).encode() for text in texts]


def _is_json(octets: bytes) -> bool:
    try:
        _decode_any(octets)
    except ODD:
        return False
    return True


class _Walk:
    """Follows one path through a document of any shape."""

    def __init__(self, path: Steps) -> None:
        self._steps = [compile_paths({(step,): Wanted(msgspec.Raw, msgspec.Raw())}) for step in path]

    def field(self, document: bytes) -> Field:
        """The field at the path. Raises UnkeyedError."""
        found = document
        for decode, get in self._steps:
            try:
                found = bytes(get(decode(found)))
            except msgspec.ValidationError:  # no object
                raise UnkeyedError(Unkeyed.MISSING_PATH if _is_json(found) else Unkeyed.UNDECODABLE) from None
            except ODD:
                raise UnkeyedError(Unkeyed.UNDECODABLE) from None
            if not found:
                raise UnkeyedError(Unkeyed.MISSING_PATH)
        return scalar_field(found)
