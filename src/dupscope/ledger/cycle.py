"""What one cycle of reading hands to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dupscope.model.batch import I64, Bools, EffectBatch, Gap, RecordBatch
from dupscope.model.replay import Replay


@dataclass(frozen=True, slots=True)
class Progress:
    """How far everything was read. Arrays are indexed by partition slot; missing slots count as 0.

    positions      next offset to read, beyond control records and aborted ones
    at_end         the tail stands at the end that a read-committed reader can see
    end_seen_ms    when a partition was last known to be read to its end; None: those at their end, now
    enumerated_ms  when it was last known that no log has partitions beside those; None: they never change
    tailed         slots of the partitions that are being read
    begun          offset at which reading began
    covered_since  per log, in ms; None: from the beginning
    covered_topics by log and logical topic, where that differs from the whole log
    committed      per sink: offsets that its group has committed
    settled        per sink of which effects are expected, else empty: offsets up to which its group had
                   committed before a moment up to which its audit log was read
    settled_from   likewise: what it had committed when it was seen first
    truncated      (mirror's log, logical topic) where records vanish: nothing is judged missing there
    deleted        logs of which a topic does not exist at the moment
    """

    positions: I64
    at_end: Bools
    tailed: list[int]
    begun: I64
    covered_since: tuple[int | None, ...]
    committed: tuple[I64, ...]
    truncated: frozenset[tuple[int, str]] = frozenset()
    deleted: frozenset[int] = frozenset()
    end_seen_ms: I64 | None = None
    enumerated_ms: int | None = None
    covered_topics: Mapping[tuple[int, str], int | None] = field(default_factory=dict)
    settled: tuple[I64, ...] = ()
    settled_from: tuple[I64, ...] = ()


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle: what was read and when. Partitions come in any order, each in its own. `number` only rises.

    `gaps` are those met in compacted logs in this cycle; `replays` all that are declared now.
    """

    number: int
    now_ms: int
    progress: Progress
    records: list[RecordBatch] = field(default_factory=list)
    effects: list[EffectBatch] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    replays: tuple[Replay, ...] = ()


def padded(column: I64, size: int) -> I64:
    """The column lengthened with zeros to at least `size`."""
    if len(column) >= size:
        return column
    return np.concatenate([column, np.zeros(size - len(column), column.dtype)])
