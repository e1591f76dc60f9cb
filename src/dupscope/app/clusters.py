"""The clusters of a configuration, shared by all pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dupscope.kafka.client import ClientLog
from dupscope.kafka.groups import GroupOffsets
from dupscope.kafka.offsets import EndOffsets
from dupscope.kafka.settings import ClusterSettings

ANSWER_SECONDS = 2.0
"""A cluster that does not answer holds up the loop, and with it the end of the process, for this long."""


class Clusters:
    """One client for end offsets and one for groups' commits, per cluster.

    `started_ms` is the moment from which relative starts are counted.
    """

    def __init__(self, settings: Mapping[str, ClusterSettings], log: ClientLog, started_ms: int) -> None:
        self.log = log
        self.started_ms = started_ms
        self.settings = {
            name: replace(each, timeout_seconds=ANSWER_SECONDS) for name, each in settings.items()
        }
        self._ends = {name: EndOffsets(each, log) for name, each in self.settings.items()}
        self._groups = {name: GroupOffsets(each, log) for name, each in self.settings.items()}

    def high_watermarks(self, cluster: str, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """High watermarks of all partitions that the topics have now. Raises ClusterError."""
        return self._ends[cluster].high_watermarks(topics)

    def committed(
        self, cluster: str, group: str, partitions: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        """What a group has committed; empty where that is not known."""
        return self._groups[cluster].committed(group, partitions)

    def close(self) -> None:
        """Drop all connections."""
        for client in self._ends.values():
            client.close()
