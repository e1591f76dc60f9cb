"""Positions in audit lines to packed positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from dupscope.audit.line import Effect
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.model.position import OFFSET_MASK, pack

Resolver = Callable[[str | None, str, int], tuple[int, str] | None]
"""(cluster or None, topic, partition) -> (partition slot, logical topic).

None where the sink does not read the topic. A partition that is not known yet gets a slot: its effects must
not be lost. Called by the thread that reads the audit log; must not block.
"""

_MAX_PARTITION = (1 << 31) - 1
_NO_POSITION = 0


class Places:
    """Resolves the positions of one read of an audit log, each partition once."""

    def __init__(self, resolver: Resolver, logical_topic: str | None) -> None:
        self._resolver = resolver
        self._logical_topic = logical_topic
        self._known: dict[tuple[str | None, str, int], tuple[int, str] | None] = {}

    def of(self, effect: Effect) -> tuple[int, str]:
        """The packed position of an effect, 0 without one, and its logical topic. Raises InvalidLineError."""
        partition, offset = effect.partition, effect.offset
        if partition is None and offset is None:
            return _NO_POSITION, self._topic_of(effect)
        if effect.topic is None or not _is_partition(partition) or not _is_offset(offset):
            raise InvalidLineError(InvalidReason.BAD_POSITION)
        slot, logical_topic = self._resolve(effect.cluster, effect.topic, partition)
        return pack(slot, offset), logical_topic

    def _topic_of(self, effect: Effect) -> str:
        """The logical topic of an effect without a position."""
        if effect.topic is not None:
            return self._resolve(effect.cluster, effect.topic, 0)[1]  # every topic has a partition 0
        if self._logical_topic is None:
            raise InvalidLineError(InvalidReason.UNKNOWN_TOPIC)
        return self._logical_topic

    def _resolve(self, cluster: str | None, topic: str, partition: int) -> tuple[int, str]:
        where = (cluster, topic, partition)
        if where not in self._known:
            self._known[where] = self._resolver(*where)
        found = self._known[where]
        if found is None:
            raise InvalidLineError(InvalidReason.UNKNOWN_TOPIC)
        return found


def _is_partition(number: int | None) -> TypeGuard[int]:
    return number is not None and 0 <= number <= _MAX_PARTITION


def _is_offset(offset: int | None) -> TypeGuard[int]:
    return offset is not None and 0 <= offset < OFFSET_MASK
