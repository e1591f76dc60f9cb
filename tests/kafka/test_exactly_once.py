"""MirrorMaker in its exactly-once mode is killed while it copies: nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agreement import finish
from support.broker import free_ports
from support.dump import dump
from support.one_mirror import MIRROR, STEP_SECONDS, OneMirror, Shape
from support.oracle import SOURCE
from support.payments import PaymentProducer
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC = "once-payments"
RECORDS = 8_000
KILLS = 2


def exactly_once() -> dict[str, object]:
    """A killed worker's transaction holds up the next one until it times out."""
    return {
        "dr.exactly.once.source.support": "enabled",
        "dr.producer.transaction.timeout.ms": 5_000,
        "primary.consumer.isolation.level": "read_committed",
        "dedicated.mode.enable.internal.rest": "true",
        "listeners": f"http://127.0.0.1:{free_ports(1)[0]}",
    }


@pytest.fixture
def pipeline(rig: Rig, tmp_path: Path) -> Iterator[OneMirror]:
    with OneMirror(rig, Shape("exactly once", TOPIC, mirror=exactly_once()), tmp_path) as parts:
        yield parts


def wait_copied(pipeline: OneMirror, producer: PaymentProducer) -> None:
    """As many committed records in the mirror as in the source."""
    dr, topic = pipeline.rig.dr.bootstrap, pipeline.shape.mirrored
    wait_until(lambda: len(dump(dr, topic)) >= producer.total, STEP_SECONDS, "all is copied", poll=0.3)


class TestExactlyOnce:
    @pytest.mark.timeout(240)
    def test_a_killed_mirror_makes_no_duplicate(self, pipeline):
        producer = pipeline.producer()
        pipeline.scenario.start()
        pipeline.mirror.start()
        pipeline.sink.start()
        for _ in range(KILLS):
            producer.produce(RECORDS // 4)
            wait_copied(pipeline, producer)
            pipeline.kill_mirror(producer, RECORDS // 4)
        producer.finish()
        wait_copied(pipeline, producer)
        pipeline.wait_acted()
        assert pipeline.sink.stop() == 0

        last = finish(pipeline.scenario)
        assert len(last.only.logs[MIRROR]) == len(last.only.logs[SOURCE]) == producer.total
        assert pipeline.mirror_offsets() > producer.total, "the mirror wrote in transactions"
        assert last.truth.layer("produce") == sum(producer.duplicates.values()) > 100
        assert last.truth.layer("mirror") == last.truth.layer("consume") == 0
