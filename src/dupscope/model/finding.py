"""What the ledger concludes: findings, and what it could not verify."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from dupscope.model.layer import Layer
from dupscope.model.position import Position


class Kind(StrEnum):
    """Whether a duplicate repeats its original's payload or contradicts it."""

    IDENTICAL = "identical"
    CONFLICTING = "conflicting"


class Origin(StrEnum):
    """What an extra side effect comes from."""

    CONSUME = "consume"
    MIRROR = "mirror"
    PRODUCE = "produce"


class Reason(StrEnum):
    """Why a suspect, copy or effect could not be judged."""

    NOT_IN_SOURCE = "not_in_source"
    BEFORE_COVERAGE = "before_coverage"
    EXPIRED = "expired"
    HOT_KEY = "hot_key"
    NO_COPY = "no_copy"
    POSITION_MISMATCH = "position_mismatch"
    OPEN_TRANSACTION = "open_transaction"
    UNREADABLE = "unreadable"
    TOPIC_DELETED = "topic_deleted"
    COMPACTED = "compacted"
    AUDIT_LOST = "audit_lost"


@dataclass(frozen=True, slots=True)
class Finding:
    """One duplicate. `id` is deterministic: the same duplicate has it in every run.

    `first` is the copy or the effect's record that this one repeats, where one is known. `gap_seconds` is
    the time between the two by their own clocks, None where a clock says nothing. `detected_at` is in
    seconds since 1970. `fingerprint` is the keyed digest in hex, never the key.
    """

    id: str
    pipeline: str
    layer: Layer
    stage: str
    topic: str
    kind: Kind
    position: Position | None
    first: Position | None
    fingerprint: str
    detected_at: float
    timestamp: float
    gap_seconds: float | None = None
    ordinal: int | None = None
    cause: str = "unknown"
    missing_evidence: tuple[str, ...] = field(default=())
    idempotence_would_prevent: bool | None = None


def finding_id(pipeline: str, stage: str, position: Position | None, ordinal: int | None = None) -> str:
    """The id of a finding: a digest of what makes it unique (DESIGN: pipeline, stage, position, ordinal)."""
    where = (position.cluster_id, position.topic_id, position.partition, position.offset) if position else ()
    text = "\0".join(map(str, (pipeline, stage, *where, *(() if ordinal is None else ("#", ordinal)))))
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
