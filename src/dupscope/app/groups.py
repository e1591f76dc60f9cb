"""A sink's consumer group while it is watched: how far it has committed, and how far it went back."""

from __future__ import annotations

from typing import Any

import numpy as np

from dupscope.app.clusters import Clusters
from dupscope.config.settings import PipelineSettings
from dupscope.ledger.cycle import padded
from dupscope.model.batch import I64
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable

POLL_SECONDS = 2.0
UNKNOWN = -1


class GroupWatch:
    """Polls the commits of one sink's group. A sink without a group has none.

    What a group has once gone past it has gone past, whatever it commits later: `committed` never falls.
    A commit that lies below the last one that was seen is a rewind: the offsets in between are delivered
    again, and count in `redelivered`. A commit that is away, since it expired or nobody answers, is none.

    Where effects are expected, `settled` are commits that were seen before a moment up to which the sink's
    audit log was read: all that it did by then is known. `first` is what it had committed when first seen.
    """

    def __init__(
        self, settings: PipelineSettings, sink: int, table: PartitionTable, clusters: Clusters
    ) -> None:
        self._settings = settings
        self._sink = settings.topology.sinks[sink]
        self._table = table
        self._clusters = clusters
        self._gone_past = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._redelivered = 0
        self._polled_at = -POLL_SECONDS
        self.settled = np.zeros(0, np.int64)
        self.first = np.zeros(0, np.int64)
        self._pending: tuple[int, I64] | None = None

    def committed(self, passed: I64) -> I64:
        """The largest committed offset by slot, at most `POLL_SECONDS` old; 0 where unknown.

        `passed` is how far the logs were read, by slot.
        """
        now = self._clusters.clock()
        if self._sink.group is not None and now - self._polled_at >= POLL_SECONDS and len(self._table):
            self._polled_at = now
            self._poll(self._sink.group, passed)
        return self._gone_past

    def redelivered(self) -> int:
        """Offsets below commits that moved back since this was asked last."""
        count, self._redelivered = self._redelivered, 0
        return count

    def read(self, complete_ms: int | None) -> None:
        """The sink's audit log was read up to what was written before a moment; None: not to its end."""
        if self._pending is not None and complete_ms is not None and complete_ms >= self._pending[0]:
            self.settled, self._pending = self._pending[1], None

    def saved(self) -> Plain:
        """What was seen of the group, by slot."""
        saved: dict[str, Plain] = {"gone_past": self._gone_past, "last": self._last}
        if self._sink.expects:
            saved |= {"settled": self.settled, "first": self.first}
        return saved

    def resume(self, tree: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on from there: a group that went back meanwhile is seen to have done so."""
        self._gone_past, self._last = tree["gone_past"], tree["last"]
        if self._sink.expects:
            self.settled, self.first = tree["settled"], tree["first"]

    def _poll(self, group: str, passed: I64) -> None:
        size = len(self._table)
        gone_past = padded(self._gone_past, size).copy()
        last, first = _lengthened(self._last, size), _lengthened(self.first, size)
        for log in self._sink.reads:
            slots = {(self._table[s].topic, self._table[s].number): s for s in self._table.slots_of(log)}
            cluster = self._settings.topology.logs[log].cluster
            for key, offset in self._clusters.committed(cluster, group, list(slots)).items():
                slot = slots[key]
                if not self._is_inherited(slot, offset, passed):
                    gone_past[slot] = max(gone_past[slot], offset)
                    self._redelivered += max(0, int(last[slot]) - offset)
                    last[slot] = offset
                    first[slot] = offset if first[slot] == UNKNOWN else first[slot]
        self._gone_past, self._last = gone_past, last
        if self._sink.expects:
            self.first = first
            self._pending = self._pending or (self._clusters.now_ms(), gone_past)

    def _is_inherited(self, slot: int, offset: int, passed: I64) -> bool:
        """Whether a commit in a topic that was created again may be one of its deleted namesake."""
        return bool(self._table.earlier(slot)) and offset > int(passed[slot])


def _lengthened(column: I64, size: int) -> I64:
    """A column by slot with further slots, of which nothing is known."""
    return np.concatenate([column, np.full(size - len(column), UNKNOWN, np.int64)])
