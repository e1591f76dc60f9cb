"""Columns of records in, columns of fingerprints out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dupscope.fingerprint.canonical import Field, canonical
from dupscope.fingerprint.digest import ContentDigest, derive
from dupscope.fingerprint.extract import Source, key_reader, read_keys
from dupscope.fingerprint.settings import MAX_VALUE_BYTES, KeySpec
from dupscope.fingerprint.siphash import pack_messages, siphash128, split_key
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.model.batch import U32, U64, Bools

Octets = bytes | None
Headers = Sequence[tuple[str, bytes | str | None]] | None
"""The headers of one record as the Kafka client gives them."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What was made of a batch of records, in columns as long as the batch.

    fp_hi, fp_lo  bytes 0-7 and 8-15 of the fingerprint as little-endian numbers; 0 where `keyed` is false
    content       as in `RecordBatch`, also where `keyed` is false
    unkeyed       the number of records without a usable business key, by `Unkeyed` reason
    """

    fp_hi: U64
    fp_lo: U64
    content: U64
    keyed: Bools
    unkeyed: Counter[str]


class Fingerprinter:
    """Makes the keyed digests of one pipeline. Holds no keys of records, and never raises for their bytes."""

    def __init__(
        self, secret: bytes, pipeline: str, spec: KeySpec, max_value_bytes: int = MAX_VALUE_BYTES
    ) -> None:
        self.spec = spec
        self.needs_headers = spec.kind == "header"
        self._secret = secret
        self._pipeline = pipeline
        self._max_value_bytes = max_value_bytes
        self._reader = key_reader(spec)
        self._content = ContentDigest(secret)
        self._topic_keys: dict[str, tuple[U64, U64]] = {}

    def records(
        self,
        logical_topic: str,
        keys: Sequence[Octets],
        values: Sequence[Octets],
        headers: Sequence[Headers] | None = None,
    ) -> Fingerprints:
        """The fingerprints and content digests of records of one logical topic.

        `headers` may be None where `needs_headers` is false. Of a header that a record repeats, the last
        one counts, as everywhere in Kafka.
        """
        found = read_keys(self._reader, self._sources(keys, values, headers), self._max_value_bytes)
        first, second = siphash128(found.forms, self._topic_key(logical_topic))
        content = self._content.columns(keys, values)
        if found.keyed.all():
            return Fingerprints(first, second, content, found.keyed, found.unkeyed)
        fp_hi, fp_lo = np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.uint64)
        fp_hi[found.keyed], fp_lo[found.keyed] = first, second
        return Fingerprints(fp_hi, fp_lo, content, found.keyed, found.unkeyed)

    def effects(self, logical_topics: Sequence[str], keys: Sequence[Sequence[Field]]) -> tuple[U64, U64]:
        """The fingerprints (as in `Fingerprints`) of business keys, each in its logical topic."""
        halves = (np.empty(len(keys), np.uint64), np.empty(len(keys), np.uint64))
        topics = np.array(logical_topics, np.object_)
        for topic in set(logical_topics):
            of_topic = topics == topic
            for half, key in zip(halves, self._topic_key(topic), strict=True):
                half[of_topic] = key
        return siphash128(pack_messages(list(map(canonical, keys))), halves)

    def effect_ids(self, ids: Sequence[Octets]) -> U32:
        """Keyed digests of a sink's own ids of its effects: 0 for none, and for none only."""
        short = self._content.short
        return np.fromiter((0 if own is None else short(own) for own in ids), np.uint32, len(ids))

    def _sources(
        self, keys: Sequence[Octets], values: Sequence[Octets], headers: Sequence[Headers] | None
    ) -> Sequence[Source]:
        """The column that holds the business keys."""
        if self.spec.kind == "kafka_key":
            return keys
        if self.spec.kind == "json":
            return values
        name = self.spec.paths[0]
        return [_last(own, name) for own in headers or [None] * len(keys)]

    def _topic_key(self, logical_topic: str) -> tuple[U64, U64]:
        key = self._topic_keys.get(logical_topic)
        if key is None:
            key = split_key(derive(self._secret, self._pipeline, logical_topic))
            self._topic_keys[logical_topic] = key
        return key


def _last(headers: Headers, name: str) -> Source:
    for own, octets in reversed(headers or ()):
        if own == name:
            return octets.encode() if isinstance(octets, str) else octets
    return Unkeyed.MISSING_PATH
