"""Where compaction removed records of an upstream log before they could be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dupscope.model.batch import Gap
from dupscope.model.plain import Plain
from dupscope.model.position import PartitionTable

MOST_SPANS = 4096
"""Spans kept of one topic; beyond, neighbours are joined, so that more is in doubt and nothing is false."""

Topic = tuple[int, str]
"""A log and a logical topic."""


@dataclass
class Gaps:
    """Spans of time from which records may be gone, by log and logical topic, in ms.

    A gap of offsets lies between two records; what is gone was stamped between those two, give or take the
    margin by which records are out of order.
    """

    margin_ms: int = 0
    _spans: dict[Topic, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, gaps: Iterable[Gap], partitions: PartitionTable) -> None:
        """Note gaps that were met while reading."""
        changed: dict[Topic, list[tuple[int, int]]] = {}
        for gap in gaps:
            partition = partitions[gap.slot]
            low, high = sorted((gap.since_ms, gap.until_ms))
            topic = partition.log, partition.logical_topic
            changed.setdefault(topic, []).append((low - self.margin_ms, high + self.margin_ms))
        for topic, spans in changed.items():
            self._spans[topic] = _fitted(_joined([*self._spans.get(topic, []), *spans]))

    def may_have_held(self, log: int, topic: str, timestamp_ms: int | None) -> bool:
        """Whether a record of this timestamp may be gone; None stands for any timestamp."""
        spans = self._spans.get((log, topic), [])
        if timestamp_ms is None or not spans:
            return bool(spans)
        index = bisect_right(spans, timestamp_ms, key=lambda span: span[0]) - 1
        return index >= 0 and timestamp_ms <= spans[index][1]

    def export(self) -> list[Plain]:
        """As plain values."""
        return [[*topic, [list(span) for span in spans]] for topic, spans in self._spans.items()]

    def restore(self, state: Any) -> None:  # noqa: ANN401 - what `export` gave
        """Go on from there."""
        self._spans = {(log, topic): [(low, high) for low, high in spans] for log, topic, spans in state}

    def forget(self, edge_ms: int) -> None:
        """Drop spans that end below the edge of the window."""
        for topic, spans in self._spans.items():
            self._spans[topic] = [span for span in spans if span[1] >= edge_ms]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap as one."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if result and low <= result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _fitted(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most `MOST_SPANS` spans: every other distance between two is given up."""
    while len(spans) > MOST_SPANS:
        pairs = zip(spans[::2], [*spans[1::2], spans[-1]], strict=False)
        spans = [(one[0], other[1]) for one, other in pairs]
    return spans
