"""The canonical form of a business key: what is digested, and what decides that two keys are equal.

Per field a little-endian 64-bit word, the length in bytes << 8 | the type, followed by the bytes. The form
can be read back without ambiguity, so two different lists of fields never have the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dupscope.fingerprint.siphash import Messages, pack_messages, word_counts
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError
from dupscope.model.batch import I64

MAX_FIELD_BYTES = 1 << 16
"""A longer field names no business fact. Bounds the work that one record can cause."""

_HEADER_BYTES = 8
_TYPE_BITS = 8
_MAX_ROW_BYTES = 256
"""Above it, rows of equal width would mostly hold padding."""


class FieldType(IntEnum):
    """What the bytes of a field are."""

    TEXT = 1
    """UTF-8. An integer is the text of its decimal digits, so 42 and "42" are one key."""

    VERBATIM = 2
    """A fraction, an exponent, true or false, exactly as written: 42.0 is neither 42 nor 42.00."""

    BINARY = 3
    """Bytes that are not UTF-8."""


Field = tuple[FieldType, bytes]
"""One typed part of a business key."""


def text_field(text: bytes) -> Field:
    """A field of UTF-8."""
    return _bounded(FieldType.TEXT, text)


def verbatim_field(written: bytes) -> Field:
    """A field that equals only what is written in the same way."""
    return _bounded(FieldType.VERBATIM, written)


def octets_field(octets: bytes) -> Field:
    """A field of bytes of unknown nature: text where they are UTF-8, else binary."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return _bounded(FieldType.BINARY, octets)
    return _bounded(FieldType.TEXT, octets)


def _bounded(kind: FieldType, octets: bytes) -> Field:
    if len(octets) > MAX_FIELD_BYTES:
        raise UnkeyedError(Unkeyed.OVERSIZE)
    return kind, octets


def canonical(fields: Iterable[Field]) -> bytes:
    """The canonical form of one key."""
    return b"".join([_header(len(octets), kind) + octets for kind, octets in fields])


def canonical_texts(columns: Sequence[Sequence[bytes]]) -> Messages:
    """The canonical forms of keys of text fields, as `canonical` gives them, all at once.

    One column of UTF-8 per field. Raises UnkeyedError if any field is too long.
    """
    lengths = np.fromiter(map(len, columns[0]), np.int64, len(columns[0]))
    if len(columns) == 1 and lengths.max(initial=0) <= _MAX_ROW_BYTES:
        return _rows(columns[0], lengths)
    headed = [part for column in columns for part in (map(_header, map(len, column)), column)]
    return pack_messages(list(map(b"".join, zip(*headed, strict=True))))


@lru_cache(4096)
def _header(length: int, kind: FieldType = FieldType.TEXT) -> bytes:
    if length > MAX_FIELD_BYTES:
        raise UnkeyedError(Unkeyed.OVERSIZE)
    return (length << _TYPE_BITS | kind).to_bytes(_HEADER_BYTES, "little")


def _rows(texts: Sequence[bytes], lengths: I64) -> Messages:
    """One row of words per key: the header word, the text padded by zeros, the length byte at its end."""
    width = int(lengths.max(initial=0)) // _HEADER_BYTES + 1
    rows: npt.NDArray[np.uint64] = np.empty((len(texts), 1 + width), "<u8")
    rows[:, 0] = lengths << _TYPE_BITS | FieldType.TEXT
    rows[:, 1:] = np.array(texts, f"S{width * _HEADER_BYTES}").view("<u8").reshape(len(texts), width)
    counts = word_counts(lengths) + 1
    starts = np.arange(len(texts)) * (1 + width)
    flat = rows.reshape(-1)
    flat[starts + counts - 1] |= (((lengths + _HEADER_BYTES) & 0xFF) << 56).astype(np.uint64)
    return Messages(flat, starts, counts)
