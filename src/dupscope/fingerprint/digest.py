"""Digests of what a record holds besides its business key, keyed by the secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

import numpy as np
from xxhash import xxh3_64_intdigest

from dupscope.fingerprint.siphash import digest128
from dupscope.model.batch import U64

_xxh3: Callable[[bytes | None, int], int] = xxh3_64_intdigest  # type: ignore[assignment]  # TypeError for None
_HALF_BITS = np.uint64(32)
_HALF_MASK = np.uint64(0xFFFFFFFF)


def derive(secret: bytes, *labels: str) -> bytes:
    """A 16-byte key of its own for each list of labels; knowing it does not reveal the secret."""
    encoded = [label.encode() for label in labels]
    return digest128(b"".join(len(label).to_bytes(8, "little") + label for label in encoded), secret)


class ContentDigest:
    """64-bit digests by xxh3 with a secret seed, each folded to 32 bits."""

    def __init__(self, secret: bytes) -> None:
        self._seed = int.from_bytes(derive(secret, "content")[:8], "little")
        self._null = xxh3_64_intdigest(b"", self._seed) ^ 1
        """In place of the digest of a null; differs from that of empty bytes also when folded."""

    def columns(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> U64:
        """Per record the digest of its key bytes (high 32 bits) and of its value bytes (low 32 bits)."""
        return self._folded(keys) << _HALF_BITS | self._folded(values)

    def short(self, octets: bytes) -> int:
        """A digest of 32 bits that is never 0."""
        digest = xxh3_64_intdigest(octets, self._seed)
        return (digest ^ digest >> 32) & 0xFFFFFFFF or 1

    def _folded(self, column: Sequence[bytes | None]) -> U64:
        try:
            digests = np.fromiter(map(_xxh3, column, repeat(self._seed)), np.uint64, len(column))
        except TypeError:
            digests = self._with_nulls(column)
        return (digests ^ digests >> _HALF_BITS) & _HALF_MASK

    def _with_nulls(self, column: Sequence[bytes | None]) -> U64:
        null, seed = self._null, self._seed
        digests = (null if octets is None else xxh3_64_intdigest(octets, seed) for octets in column)
        return np.fromiter(digests, np.uint64, len(column))
