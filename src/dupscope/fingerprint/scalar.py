"""JSON scalars, as they are written, to fields of a business key."""

from __future__ import annotations

import msgspec

from dupscope.fingerprint.canonical import Field, text_field, verbatim_field
from dupscope.fingerprint.paths import ODD
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError

_decode_text = msgspec.json.Decoder(str).decode
_FRACTION_MARKS = frozenset(b".eE")


def scalar_field(written: bytes) -> Field:
    """The field of one valid JSON value without space around it. Raises UnkeyedError.

    Integers are text, and -0 is the integer 0. No integer is too large, and no precision is lost: the digits
    are never read as a number.
    """
    match written[:1]:
        case b'"':
            return text_field(_text(written))
        case b"n":
            raise UnkeyedError(Unkeyed.NULL_KEY)
        case b"{" | b"[":
            raise UnkeyedError(Unkeyed.NOT_SCALAR)
        case b"t" | b"f":
            return verbatim_field(written)
    if not _FRACTION_MARKS.isdisjoint(written):
        return verbatim_field(written)
    return text_field(b"0" if written == b"-0" else written)


def _text(written: bytes) -> bytes:
    try:
        return _decode_text(written).encode()
    except ODD:
        raise UnkeyedError(Unkeyed.UNDECODABLE) from None
