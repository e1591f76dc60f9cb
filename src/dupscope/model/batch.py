"""Batches of columns: the unit of work. One object per batch, none per record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Committed records of one log, in reading order. All columns have the same length.

    position      packed: partition slot << 48 | offset + 1
    timestamp     milliseconds since 1970, as the log has it
    fp_hi, fp_lo  the 128-bit fingerprint
    content       digest of the record's key bytes (high 32 bits) and of its value bytes (low 32 bits);
                  null and empty differ. With the timestamp it is the record's tag; the low half is its
                  payload digest. Two different values of one business key get the same half by chance
                  once in 4.3e9.
    redriven      which records say of themselves that they are an intended replay; None: none of them
    """

    log: int
    position: U64
    timestamp: I64
    fp_hi: U64
    fp_lo: U64
    content: U64
    redriven: Bools | None = None

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of a compacted partition that hold no record any more: `first` up to, without, `end`.

    `since_ms` and `until_ms` are the timestamps of the records before and after it; `since_ms` is 0 where
    the one before is not known, at the beginning of what was read.
    """

    slot: int
    first: int
    end: int
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class EffectBatch:
    """Side effects from one sink's audit log, in the log's order.

    position   packed position of the record that was acted on; 0 where the line names none
    at         milliseconds since 1970
    effect_id  a keyed 32-bit digest of the sink's own id of the effect; 0 where the line has none
    """

    sink: int
    position: U64
    at: I64
    fp_hi: U64
    fp_lo: U64
    effect_id: U32

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class TailRead:
    """What one read of a log gave.

    `records` and `unkeyed` are counted by logical topic; `unkeyed` also by reason. `last_timestamp` is by
    physical topic, in milliseconds. `holes` are partition slots whose position was lost, with the reason.
    `gaps` are those of compacted topics.
    """

    batch: RecordBatch
    records: Counter[str] = field(default_factory=Counter)
    unkeyed: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_timestamp: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    holes: list[tuple[int, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AuditRead:
    """What one read of an audit log gave: effects, lines read, and invalid lines by reason.

    places       where the first invalid line of each reason lies, for a person
    complete_ms  all lines that were written before this moment (ms since 1970) were read; None: not known
    lost         writers of which lines are known to be lost
    """

    batch: EffectBatch
    lines: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    places: Mapping[str, str] = field(default_factory=dict)
    complete_ms: int | None = None
    lost: int = 0


def no_records(log: int) -> RecordBatch:
    """A batch without a record."""
    u64, i64 = np.empty(0, np.uint64), np.empty(0, np.int64)
    return RecordBatch(log, u64, i64, u64, u64, u64)


def no_effects(sink: int) -> EffectBatch:
    """A batch without an effect."""
    u64, i64 = np.empty(0, np.uint64), np.empty(0, np.int64)
    return EffectBatch(sink, u64, i64, u64, u64, np.empty(0, np.uint32))
