"""The business key in an audit line."""

from __future__ import annotations

import msgspec

from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.fingerprint.canonical import Field
from dupscope.fingerprint.extract import key_reader
from dupscope.fingerprint.scalar import scalar_field
from dupscope.fingerprint.settings import KeySpec
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError

Key = tuple[Field, ...]

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NULL = b"null"
_REASONS = {Unkeyed.NULL_KEY: InvalidReason.NO_KEY, Unkeyed.OVERSIZE: InvalidReason.OVERSIZE}


class KeyShape:
    """Reads keys that are a scalar, a list in the order of the specification, or an object with its paths."""

    def __init__(self, spec: KeySpec) -> None:
        self.width = max(1, len(spec.paths))
        specs = (spec, _flat(spec)) if spec.kind == "json" else ()
        self._readers = [key_reader(own) for own in specs]

    def fields(self, written: bytes) -> Key:
        """The fields of one valid JSON value; no bytes at all are an absent key. Raises InvalidLineError."""
        if not written:
            raise InvalidLineError(InvalidReason.NO_KEY)
        try:
            return self._fields(written)
        except UnkeyedError as error:
            raise InvalidLineError(_REASONS.get(error.reason, InvalidReason.BAD_KEY)) from None

    def _fields(self, written: bytes) -> Key:
        match written[:1]:
            case b"{":
                return self._of_object(written)
            case b"[":
                parts = _decode_list(written)
            case _:
                parts = [msgspec.Raw(written)]
        if len(parts) != self.width:
            raise UnkeyedError(Unkeyed.NULL_KEY if written == _NULL else Unkeyed.NOT_SCALAR)
        return tuple(scalar_field(bytes(part)) for part in parts)

    def _of_object(self, written: bytes) -> Key:
        """The paths step by step, or, as some sinks write them, each as one name with dots."""
        reason = Unkeyed.NOT_SCALAR
        for reader in self._readers:
            try:
                return reader.fields(written)
            except UnkeyedError as error:
                reason = error.reason
                if reason is not Unkeyed.MISSING_PATH:
                    break
        raise UnkeyedError(reason)


def _flat(spec: KeySpec) -> KeySpec:
    """The specification of an object that has each path as one name."""
    return KeySpec("json", tuple(path.replace("\\.", ".").replace(".", "\\.") for path in spec.paths))
