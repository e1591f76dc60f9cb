"""A sink while it is watched: where its audit lines point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dupscope.app.clusters import Clusters
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.config.settings import PipelineSettings
from dupscope.model.position import PartitionTable

LOOK_SECONDS = 2.0
MOST_PARTITIONS = 4096


class SinkWatch:
    """Resolves positions of one sink's audit lines."""

    def __init__(
        self,
        settings: PipelineSettings,
        sink: int,
        table: PartitionTable,
        clusters: Clusters,
        discover: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._sink = settings.topology.sinks[sink]
        self._table = table
        self._clusters = clusters
        self._discover = discover
        self._discovered_at = -LOOK_SECONDS

    def resolve(self, cluster: str | None, topic: str, number: int) -> tuple[int, str] | None:
        """The partition slot and logical topic of a position in a log that the sink reads, else None.

        Raises InvalidLineError where several clusters have the topic and the line does not say which.
        A partition that was not discovered yet is numbered, so that its effects wait for it: as long as
        the number is one that a topic may grow to, and not one that a broken line makes up.
        """
        if number >= MOST_PARTITIONS:
            return None
        logs = [
            log for log in self._sink.reads if cluster in {None, self._settings.topology.logs[log].cluster}
        ]
        found = self._place(logs, topic, number)
        if found is None and self._look_again(logs, topic):
            found = self._place(logs, topic, number)
        return found

    def _place(self, logs: Sequence[int], topic: str, number: int) -> tuple[int, str] | None:
        siblings = [slot for log in logs if (slot := self._table.find(log, topic, 0)) is not None]
        if len(siblings) > 1:
            raise InvalidLineError(InvalidReason.AMBIGUOUS_CLUSTER)
        if not siblings:
            return None
        partition = replace(self._table[siblings[0]], number=number)
        return self._table.slot(partition), partition.logical_topic

    def _look_again(self, logs: Sequence[int], topic: str) -> bool:
        """Discover a topic that the sink was quicker to find than the tails; once in a while."""
        if self._clusters.clock() - self._discovered_at < LOOK_SECONDS:
            return False
        mine = [log for log in logs if topic in self._settings.topics[log].chosen([topic])]
        for log in mine:
            self._discovered_at = self._clusters.clock()
            self._discover(log)
        return bool(mine)
