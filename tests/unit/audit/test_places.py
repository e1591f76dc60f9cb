from __future__ import annotations

from typing import Any

import pytest

from dupscope.audit.line import Effect
from dupscope.audit.places import Places
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.model.position import OFFSET_MASK, offset_of, slot_of


class Slots:
    """Knows the topic `primary.payments` on every cluster but `other`, by slots 100 and up."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str, int]] = []

    def __call__(self, cluster: str | None, topic: str, partition: int) -> tuple[int, str] | None:
        self.asked.append((cluster, topic, partition))
        return (100 + partition, "payments") if topic == "primary.payments" and cluster != "other" else None


def effect(**changes: Any) -> Effect:
    where = {"cluster": "dr", "topic": "primary.payments", "partition": 3, "offset": 42}
    return Effect(key=(), at=1, effect_id=None, **(where | changes))


def why(changed: Effect, logical_topic: str | None = None) -> InvalidReason:
    with pytest.raises(InvalidLineError) as caught:
        Places(Slots(), logical_topic).of(changed)
    return caught.value.reason


class TestPlaces:
    """A position counts only whole, and in a topic that the sink reads."""

    @pytest.mark.parametrize("offset", [0, 42, OFFSET_MASK - 1])
    def test_position(self, offset: int) -> None:
        packed, topic = Places(Slots(), None).of(effect(offset=offset))
        assert (slot_of(packed), offset_of(packed), topic) == (103, offset, "payments")

    def test_each_partition_is_resolved_once(self) -> None:
        slots = Slots()
        places = Places(slots, None)
        for partition in (3, 3, 4, 3):
            places.of(effect(partition=partition))
        assert slots.asked == [("dr", "primary.payments", 3), ("dr", "primary.payments", 4)]

    @pytest.mark.parametrize(
        "changes",
        [
            {"partition": None},
            {"offset": None},
            {"topic": None},
            {"partition": -1},
            {"partition": 1 << 31},
            {"offset": -1},
            {"offset": OFFSET_MASK},
        ],
    )
    def test_incomplete_or_impossible(self, changes: dict[str, Any]) -> None:
        assert why(effect(**changes), "payments") is InvalidReason.BAD_POSITION

    @pytest.mark.parametrize("changes", [{"topic": "orders"}, {"cluster": "other"}])
    def test_unknown_topic(self, changes: dict[str, Any]) -> None:
        assert why(effect(**changes), "payments") is InvalidReason.UNKNOWN_TOPIC

    def test_without_a_position_the_topic_is_the_lines(self) -> None:
        floating = effect(partition=None, offset=None)
        assert Places(Slots(), "refunds").of(floating) == (0, "payments")
        assert why(effect(partition=None, offset=None, topic="x"), "refunds") is InvalidReason.UNKNOWN_TOPIC

    def test_or_the_sinks(self) -> None:
        floating = effect(topic=None, partition=None, offset=None)
        assert Places(Slots(), "refunds").of(floating) == (0, "refunds")
        assert why(floating) is InvalidReason.UNKNOWN_TOPIC
