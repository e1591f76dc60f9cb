"""Some of the keys that go by, all their copies included, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dupscope.forensics.oracle import Copy, Effect
from dupscope.model.batch import U64, Bools, EffectBatch, RecordBatch
from dupscope.model.position import Partition, offset_of, slot_of

Fingerprint = tuple[int, int]

_ALL = (1 << 64) - 1


@dataclass(slots=True)
class Key:
    """What was read of one key.

    topic   its logical topic, "" while no copy is known
    grows   there is more of it behind what is to be judged
    is_hot  it has more copies or effects than are kept
    """

    topic: str = ""
    copies: list[Copy] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    grows: bool = False
    is_hot: bool = False


class Sample:
    """Keeps the `size` keys of the lowest rank among all that go by.

    Ranks are the fingerprints, shuffled by `seed`: digests under a secret, so that they know nothing of what
    becomes of a key. The bound on them falls as keys are met: who is above it goes with all that was kept of
    it, and who is below was kept from the beginning. Keys are chosen while records are read; `settle` ends
    that, and what follows (effects, records that are `new`) only adds to keys that were chosen.

    `limit` bounds the copies, and the effects, that are kept of one key.
    """

    def __init__(self, size: int, seed: int, partitions: Sequence[Partition], limit: int = 1000) -> None:
        digest = hashlib.blake2b(str(seed).encode(), digest_size=8, person=b"dupscope.verify").digest()
        self._mask = int.from_bytes(digest, "big")
        self._size = size
        self._limit = limit
        self._partitions = partitions
        self._bound = _ALL
        self._later: list[tuple[U64, U64]] = []
        self._is_settled = False
        self.keys: dict[Fingerprint, Key] = {}

    def __contains__(self, fingerprint: Fingerprint) -> bool:
        """Whether a key would have been kept if it had gone by."""
        return self._rank(fingerprint) <= self._bound

    def records(self, batch: RecordBatch, new: Bools) -> None:
        """Take what is chosen of a batch. `new` are those records that are not to be judged."""
        chosen = self._chosen(batch.fp_hi)
        self._keep_later(batch, chosen & new)
        if self._is_settled:
            return
        for index in np.flatnonzero(chosen & ~new).tolist():
            self._add(batch, index)
        if len(self.keys) > 2 * self._size:
            self._lower()

    def effects(self, batch: EffectBatch, new: Bools) -> None:
        """Take a batch of effects, after `settle`. `new` are those that are not to be judged."""
        for index in np.flatnonzero(self._chosen(batch.fp_hi)).tolist():
            key = self.keys.get((int(batch.fp_hi[index]), int(batch.fp_lo[index])))
            if key is not None and new[index]:
                key.grows = True
            elif key is not None and len(key.effects) < self._limit:
                key.effects.append(
                    Effect(
                        batch.sink,
                        int(batch.position[index]),
                        int(batch.at[index]),
                        int(batch.effect_id[index]),
                    )
                )
            elif key is not None:
                key.is_hot = True

    def settle(self) -> None:
        """All that is to be judged has gone by: these are the keys."""
        if len(self.keys) > self._size:
            self._lower()
        self._is_settled = True
        later, self._later = self._later, []
        for high, low in later:
            self._mark(high, low)

    def _chosen(self, high: U64) -> Bools:
        """Which fingerprints are within the bound."""
        ranks = high ^ np.uint64(self._mask)
        return np.asarray(ranks <= np.uint64(self._bound))

    def _add(self, batch: RecordBatch, index: int) -> None:
        key = self.keys.setdefault((int(batch.fp_hi[index]), int(batch.fp_lo[index])), Key())
        position = int(batch.position[index])
        partition = self._partitions[slot_of(position)]
        key.topic = partition.logical_topic
        if len(key.copies) >= self._limit:
            key.is_hot = True
            return
        key.copies.append(
            Copy(
                batch.log,
                position,
                (partition.number, offset_of(position), partition.cluster_id, partition.topic_id),
                int(batch.timestamp[index]),
                int(batch.content[index]),
                redriven=batch.redriven is not None and bool(batch.redriven[index]),
            )
        )

    def _keep_later(self, batch: RecordBatch, new: Bools) -> None:
        if not new.any():
            return
        high, low = batch.fp_hi[new], batch.fp_lo[new]
        if self._is_settled:
            self._mark(high, low)
        else:
            self._later.append((high, low))

    def _mark(self, high: U64, low: U64) -> None:
        """Note of chosen keys that there is more of them."""
        near = self._chosen(high)
        for fingerprint in zip(high[near].tolist(), low[near].tolist(), strict=True):
            key = self.keys.get(fingerprint)
            if key is not None:
                key.grows = True

    def _lower(self) -> None:
        """Keep the keys of the lowest ranks."""
        ranks = sorted(map(self._rank, self.keys))
        self._bound = ranks[self._size - 1]
        self.keys = {one: key for one, key in self.keys.items() if self._rank(one) <= self._bound}
        self._later = [(high[near], low[near]) for high, low in self._later for near in [self._chosen(high)]]

    def _rank(self, fingerprint: Fingerprint) -> int:
        return fingerprint[0] ^ self._mask
