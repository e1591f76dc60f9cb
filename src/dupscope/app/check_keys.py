"""What a sample says about the business key that a pipeline is configured with."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dupscope.config.settings import PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.propose import COARSE_SHARE, examine, percent
from dupscope.fingerprint.siphash import SECRET_BYTES
from dupscope.kafka.sample import SampledRecord
from dupscope.model.batch import U64


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How a sample of one topic fares with the configured key.

    same, other   records that repeat an earlier one's key, with its payload and with another
    changing      the fields that alone differ, where `other` are resends with a new time or message id
    finer         the path to add when too many repeat with another payload, if one was found
    """

    records: int
    keyed: int
    unkeyed: Counter[str]
    same: int
    other: int
    changing: tuple[str, ...] = ()
    finer: str | None = None

    @property
    def other_share(self) -> float:
        """Records that repeat with another payload, per keyed record."""
        return self.other / self.keyed if self.keyed else 0.0

    @property
    def coarse(self) -> bool:
        """More records repeat with another payload than conflicting duplicates explain."""
        return self.other_share > COARSE_SHARE


def use_of_key(pipeline: PipelineSettings, topic: str, records: Sequence[SampledRecord]) -> KeyUse:
    """Fingerprint a sample as `run` would, under a key that is thrown away."""
    fingerprinter = Fingerprinter(secrets.token_bytes(SECRET_BYTES), pipeline.name, pipeline.key)
    ordered = sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))
    found = fingerprinter.records(
        topic,
        [record.key for record in ordered],
        [record.value for record in ordered],
        [record.headers for record in ordered],
    )
    keyed = found.keyed
    same, other = _repeats(found.fp_hi[keyed], found.fp_lo[keyed], found.content[keyed])
    use = KeyUse(len(ordered), int(keyed.sum()), found.unkeyed, same, other)
    if not use.coarse:
        return use
    repeats, finer = examine(ordered, pipeline.key)
    resends = repeats.resent and repeats.other_share <= COARSE_SHARE
    return replace(
        use, changing=repeats.changing if resends else (), finer=finer.paths[-1] if finer else None
    )


def _repeats(fp_hi: U64, fp_lo: U64, content: U64) -> tuple[int, int]:
    """Records whose key came before: with the payload of its first record, and with another."""
    payload = content & np.uint64(0xFFFF_FFFF)
    first: dict[tuple[int, int], int] = {}
    same = other = 0
    for high, low, digest in zip(fp_hi.tolist(), fp_lo.tolist(), payload.tolist(), strict=True):
        if (high, low) not in first:
            first[high, low] = digest
        elif first[high, low] == digest:
            same += 1
        else:
            other += 1
    return same, other


def advice(use: KeyUse) -> str:
    """The sentence about a key that repeats with other payloads."""
    share = f"{percent(use.other_share)} repeat with another payload"
    if use.changing:
        return f"{share}, but only {' and '.join(use.changing)} differ: resends, reported as conflicting"
    return f"{share}: the key may be too coarse{f'; add {use.finer}' if use.finer else ''}"
