"""The mirror loses records; later it is rewound and delivers them; the sink's table catches the repeats."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Producer

from support.agreement import Ending, assert_offline_agrees, finish
from support.dump import end_offsets
from support.dupscope_process import series, total
from support.one_mirror import MIRROR, PARTITIONS, SINK, STEP_SECONDS, OneMirror, Shape
from support.oracle import SOURCE
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

RECORDS = 4_000
HEADER = "not-for-dr"
FILTER = {
    "primary->dr.transforms": "drop",
    "primary->dr.transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
    "primary->dr.transforms.drop.predicate": "marked",
    "primary->dr.predicates": "marked",
    "primary->dr.predicates.marked.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
    "primary->dr.predicates.marked.name": HEADER,
}
"""MirrorMaker drops every record that has the header."""

SHAPE = Shape("loss", "loss-payments", mirror=FILTER, sink_options=("--dedup",))


@pytest.fixture
def pipeline(rig: Rig, tmp_path: Path) -> Iterator[OneMirror]:
    with OneMirror(rig, SHAPE, tmp_path) as parts:
        yield parts


@dataclass
class MarkingProducer:
    """Marks some records for the filter, and sends some of both sorts again, later and unmarked."""

    bootstrap: str
    topic: str
    marked: int = 0
    resent: int = 0
    sent: int = 0
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True})

    def produce(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            marked = number % 20 == 7
            self.marked += marked
            self._send(number, number % 1000, [(HEADER, b"1")] if marked else [])
            if number % 60 in {7, 8}:
                self._send(number, number % 1000 + 1, [])
                self.resent += 1
        self.sent += count
        assert self._producer.flush(30) == 0

    def _send(self, number: int, later_ms: int, headers: list[tuple[str, bytes]]) -> None:
        value = json.dumps({"payment_id": number, "amount": 5}).encode()
        stamp = time.time_ns() // 1_000_000 + later_ms
        self._producer.produce(
            self.topic, value, str(number), number % PARTITIONS, timestamp=stamp, headers=headers
        )


class TestLoss:
    @pytest.mark.timeout(240)
    def test_lost_records_are_missing_until_a_rewind_delivers_them_and_the_sink_absorbs_the_repeats(
        self, rig, pipeline
    ):
        producer = MarkingProducer(rig.primary.bootstrap, SHAPE.topic)
        pipeline.scenario.start()
        pipeline.mirror.start()
        pipeline.sink.start()
        for _ in range(4):
            producer.produce(RECORDS // 4)
        pipeline.wait_mirrored()
        pipeline.wait_committed()
        without = pipeline.scenario.checkpoint()
        lossy = without.truth
        assert lossy.missing[MIRROR] == producer.marked > 100
        assert lossy.layer("produce") == producer.resent > 100
        wait_until(
            lambda: total(pipeline.scenario.scraper.last, "missing_total") == producer.marked,
            STEP_SECONDS,
            "all losses are told",
        )
        assert_offline_agrees(pipeline.scenario, without, "lossy")

        pipeline.mirror.stop()
        pipeline.mirror_with({}, store="second").start()
        everything = 2 * (producer.sent + producer.resent) - producer.marked
        wait_until(
            lambda: sum(end_offsets(rig.dr.bootstrap, SHAPE.mirrored).values()) == everything,
            STEP_SECONDS,
            "all is copied once more",
        )
        pipeline.wait_committed()
        assert pipeline.sink.stop() == 0

        labels = {"pipeline": "payments", "layer": "mirror", "stage": MIRROR}
        history = dict.fromkeys(
            (series("missing_total", **labels), series("recovered_total", **labels)), producer.marked
        )
        last = finish(pipeline.scenario, Ending(extra=history))
        assert last.truth.missing[MIRROR] == 0
        assert last.truth.layer("mirror") == len(last.only.logs[SOURCE]) - producer.marked > 1000
        assert (+last.truth.effects, len(last.only.effects[SINK])) == ({}, producer.sent)
        assert last.truth.extra_copies[SINK] == last.truth.absorbed[SINK] == everything - producer.sent
