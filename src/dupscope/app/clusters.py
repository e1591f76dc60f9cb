"""The clusters of a configuration, shared by all pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dupscope.app.clock import SteadyClock
from dupscope.kafka.client import ClientLog
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.groups import GroupOffsets
from dupscope.kafka.offsets import EndOffsets, Ends
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ClusterError

ANSWER_SECONDS = 2.0
"""A cluster that does not answer holds up the loop, and with it the end of the process, for this long."""

AGAIN_SECONDS = 3.0
"""Then it is left alone for this long, and everything else goes on."""


class Clusters:
    """One client for end offsets and one for groups' commits, per cluster.

    `started_ms` is the moment from which relative starts are counted. `clock` is monotonic, in seconds;
    `now_ms` is the time of day.
    """

    def __init__(
        self,
        settings: Mapping[str, ClusterSettings],
        log: ClientLog,
        started_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = log
        self.started_ms = started_ms
        self.settings = {
            name: replace(each, timeout_seconds=ANSWER_SECONDS) for name, each in settings.items()
        }
        self.clock = clock
        self.now_ms = SteadyClock().now_ms
        self._ends = {name: EndOffsets(each, log) for name, each in self.settings.items()}
        self._groups = {name: GroupOffsets(each, log) for name, each in self.settings.items()}
        self._silent_since: dict[str, float] = {}
        self._stopping = False

    def stop(self) -> None:
        """Ask nothing any more: whatever would wait for an answer fails at once."""
        self._stopping = True

    def may_ask(self, cluster: str) -> bool:
        """Whether a cluster is worth a question now: it answered the last one, or that was a while ago."""
        since = self._silent_since.get(cluster, -AGAIN_SECONDS)
        return not self._stopping and self.clock() - since >= AGAIN_SECONDS

    def is_silent(self, cluster: str) -> bool:
        """Whether a cluster left the last question that it was asked without an answer."""
        return cluster in self._silent_since

    @contextmanager
    def asking(self, cluster: str) -> Iterator[None]:
        """Around every question, which may raise ClusterError; notes whether there was an answer."""
        if not self.may_ask(cluster):
            raise BrokersUnreachableError(f"cluster {cluster!r}: did not answer a moment ago")
        try:
            yield
        except BrokersUnreachableError:
            self._silent_since[cluster] = self.clock()
            raise
        except ClusterError:
            self._silent_since.pop(cluster, None)
            raise
        self._silent_since.pop(cluster, None)

    def high_watermarks(self, cluster: str, topics: TopicSelection) -> Ends:
        """High watermarks of all partitions that the topics of a log have now. Raises ClusterError."""
        with self.asking(cluster):
            return self._ends[cluster].high_watermarks(topics)

    def committed(
        self, cluster: str, group: str, partitions: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], int]:
        """What a group has committed; empty where that is not known, or while the cluster is silent."""
        if self._stopping or self.is_silent(cluster):
            return {}
        return self._groups[cluster].committed(group, partitions)

    def close(self) -> None:
        """Drop all connections."""
        for ends in self._ends.values():
            ends.close()
        for groups in self._groups.values():
            groups.close()
