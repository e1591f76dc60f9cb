"""The values of records that Vector, Fluent Bit and their like make of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import Shipping
from dupscope.fingerprint.paths import ODD, Wanted, compile_paths
from dupscope.fingerprint.settings import split_path

_PLACE = str | int | None


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A line, and where it lies: `file` names the file, `offset` is None where the record does not tell."""

    line: bytes
    file: bytes
    offset: int | None


class Envelope:
    """Takes lines out of values."""

    def __init__(self, shipping: Shipping) -> None:
        self._has_line = shipping.line is not None
        fields = {split_path(path): Wanted(_PLACE, None) for path in shipping.file}
        if shipping.offset is not None:
            fields[split_path(shipping.offset)] = Wanted(int | None, None)
        if shipping.line is not None:
            fields[split_path(shipping.line)] = Wanted(msgspec.Raw)
        self._has_offset = shipping.offset is not None
        self._is_single = len(fields) == 1
        self._compiled = compile_paths(fields) if fields else None

    def open(self, value: bytes) -> Unwrapped:
        """The line in a value. Raises InvalidLineError."""
        found = self._found(value)
        line = _line(found.pop()) if self._has_line else value
        offset = found.pop() if self._has_offset else None
        return Unwrapped(line, "\0".join(map(str, found)).encode(), offset)

    def _found(self, value: bytes) -> list[Any]:
        if self._compiled is None:
            return []
        decode, get = self._compiled
        try:
            found = get(decode(value))
        except ODD:
            raise InvalidLineError(InvalidReason.BAD_SHIPMENT) from None
        return [found] if self._is_single else list(found)


def _line(found: msgspec.Raw) -> bytes:
    """The line: what a string says, or an object as it is."""
    written = bytes(found)
    if not written.startswith(b'"'):
        return written
    try:
        return msgspec.json.decode(written, type=str).encode()
    except ODD:
        raise InvalidLineError(InvalidReason.BAD_SHIPMENT) from None
