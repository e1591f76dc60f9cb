"""The rig itself, without the program under test: a mirror that is clean, and one that really duplicates."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from support.dump import Dumped, dump, end_offsets
from support.oracle import Flow, Truth, judge
from support.rig import Rig, wait_mirrored
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

PARTITIONS = 4


def produce(rig: Rig, topic: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": rig.primary.bootstrap, "enable.idempotence": True})
    for number in range(first, first + count):
        producer.produce(topic, json.dumps({"id": number}).encode(), key=str(number))
    assert producer.flush(30) == 0


def truth_of(rig: Rig, topic: str) -> tuple[Truth, list[Dumped]]:
    mirror = dump(rig.dr.bootstrap, f"primary.{topic}")
    flow = Flow(("id",), {"to-dr": "source"}, logical={f"primary.{topic}": topic})
    return judge(flow, {"source": dump(rig.primary.bootstrap, topic), "to-dr": mirror}, {}), mirror


class TestMirrorMaker:
    def test_an_undisturbed_mirror_has_every_record_once(self, rig):
        rig.primary.create_topic("clean", PARTITIONS)
        produce(rig, "clean", 0, 1000)
        mirror = rig.mirror("clean")
        wait_mirrored(rig, "clean")
        truth, copies = truth_of(rig, "clean")
        mirror.stop()
        assert len(copies) == 1000
        assert not truth.extras

    def test_a_mirror_killed_before_its_flush_copies_again_what_it_copied_since(self, rig):
        rig.primary.create_topic("killed", PARTITIONS)
        mirror = rig.mirror("killed")
        produce(rig, "killed", 0, 500)
        wait_mirrored(rig, "killed")
        mirror.stop()
        mirror.start()
        produce(rig, "killed", 500, 700)
        wait_mirrored(rig, "killed")
        mirror.kill()
        mirror.start()
        wait_until(lambda: records_in(rig, "primary.killed") > 1200, 60, "records are copied again")
        wait_mirrored(rig, "killed")
        truth, copies = truth_of(rig, "killed")
        mirror.stop()
        assert len(copies) - 1200 == truth.layer("mirror") == 700
        assert truth.layer("produce") == 0


def records_in(rig: Rig, topic: str) -> int:
    return sum(end_offsets(rig.dr.bootstrap, topic).values())
