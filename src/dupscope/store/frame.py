"""What a BLOB of the store looks like: a format version, a checksum and a tree of plain values."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import xxhash

from dupscope.model.errors import StoreDamagedError
from dupscope.model.plain import Column, Plain

FORMAT = 1
"""Raised whenever a tree changes its meaning; what is older is migrated, what is newer is refused."""

_MAGIC = b"dup"
_COLUMN = 1
_HEADER_BYTES = len(_MAGIC) + 1 + 8


def seal(tree: Plain, place: str) -> bytes:
    """The BLOB of a tree. `place` names where it will lie, so that a BLOB in another place is noticed."""
    payload = _ENCODER.encode(tree)
    return b"".join((_MAGIC, bytes([FORMAT]), _checksum(payload, place), payload))


def unseal(blob: object, place: str) -> Any:  # noqa: ANN401 - a tree; its owner knows its types
    """The tree of a BLOB. Raises StoreDamagedError where it is not what was written there."""
    if not isinstance(blob, bytes) or len(blob) < _HEADER_BYTES or not blob.startswith(_MAGIC):
        raise StoreDamagedError(f"{place}: is no stored value", "checksum")
    payload = blob[_HEADER_BYTES:]
    if blob[len(_MAGIC) + 1 : _HEADER_BYTES] != _checksum(payload, place):
        raise StoreDamagedError(f"{place}: its checksum does not fit", "checksum")
    return _DECODER.decode(payload)


def checksum_of(blob: bytes) -> int:
    """The checksum that a BLOB carries, in 63 bits."""
    return int.from_bytes(blob[len(_MAGIC) + 1 : _HEADER_BYTES], "big") >> 1


def _checksum(payload: bytes, place: str) -> bytes:
    digest = xxhash.xxh3_64(place.encode())
    digest.update(payload)
    return digest.digest()


def _extend(value: object) -> msgspec.msgpack.Ext:
    if isinstance(value, np.ndarray):
        kind = f"{value.dtype.str}{','.join(map(str, value.shape))};".encode()
        return msgspec.msgpack.Ext(_COLUMN, kind + value.tobytes())
    if isinstance(value, np.generic):
        raise TypeError(f"a number of numpy in a tree: {value!r}")
    raise NotImplementedError(f"no plain value: {type(value)}")


def _column(code: int, data: memoryview) -> Column:
    assert code == _COLUMN, code
    head, _, _ = bytes(data[:64]).partition(b";")
    kind = head.decode()
    shape = tuple(int(length) for length in kind[3:].split(",") if length)
    dtype = np.dtype(kind[:3])
    raw = bytearray(data[len(head) + 1 :])
    assert len(raw) == dtype.itemsize * math.prod(shape), kind
    return np.frombuffer(raw, dtype).reshape(shape)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_extend)
_DECODER = msgspec.msgpack.Decoder(ext_hook=_column)
