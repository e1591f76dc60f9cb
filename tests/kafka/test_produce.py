"""Records are produced twice, by the application and by its client; the mirror copies them faithfully."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from support.agreement import finish
from support.dump import Dumped
from support.gate import Gate
from support.one_mirror import MIRROR, PARTITIONS, SINK, OneMirror, Shape
from support.oracle import SOURCE
from support.payments import Plan
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

RESENT = {Plan.NEW: 90, Plan.LATER: 7, Plan.ELSEWHERE: 3}
LOST_ACKNOWLEDGEMENTS = 3
BATCH = 60


@pytest.fixture
def pipeline(rig: Rig, tmp_path: Path) -> Iterator[OneMirror]:
    with OneMirror(rig, Shape("produce", "produce-payments"), tmp_path) as parts:
        yield parts


def produce_through(gate: Gate, topic: str) -> None:
    """Without idempotence, one request at a time; acknowledgements get lost, so the client sends again."""
    producer = Producer(
        {
            "bootstrap.servers": gate.bootstrap,
            "enable.idempotence": False,
            "max.in.flight.requests.per.connection": 1,
            "linger.ms": 100,
            "reconnect.backoff.max.ms": 500,
            "log.connection.close": False,
        }
    )
    for lost in range(LOST_ACKNOWLEDGEMENTS):
        gate.swallow(1)
        for number in range(BATCH):
            name = f"retry-{lost}-{number}"
            stamp = time.time_ns() // 1_000_000
            value = json.dumps({"payment_id": name, "amount": number}).encode()
            producer.produce(topic, value, key=name, partition=lost % PARTITIONS, timestamp=stamp)
        assert producer.flush(30) == 0
        wait_until(lambda goal=lost + 1: gate.swallowed >= goal, 5, "an acknowledgement was lost")


def stored_twice(records: list[Dumped]) -> int:
    """Records of the retrying producer that lie in one partition twice: equal timestamp, key and value."""
    retrying = [record for record in records if (record.key or b"").startswith(b"retry-")]
    copies = Counter((one.partition, one.timestamp, one.key, one.value) for one in retrying)
    assert len(copies) == LOST_ACKNOWLEDGEMENTS * BATCH
    assert max(copies.values()) == 2
    return sum(count == 2 for count in copies.values())


class TestProduce:
    @pytest.mark.timeout(240)
    def test_a_retry_and_a_resend_are_the_producers_duplicates_and_not_the_mirrors(self, rig, pipeline):
        resending = pipeline.producer(RESENT)
        pipeline.scenario.start()
        pipeline.mirror.start()
        pipeline.sink.start()
        resending.produce(3_000)
        produce_through(rig.primary.gate, pipeline.shape.topic)
        pipeline.wait_mirrored()
        pipeline.scenario.checkpoint()
        resending.produce(3_000)
        resending.finish()
        pipeline.wait_mirrored()
        pipeline.wait_acted()
        assert pipeline.sink.stop() == 0

        last = finish(pipeline.scenario)
        retried = stored_twice(last.only.logs[SOURCE])
        assert retried >= LOST_ACKNOWLEDGEMENTS
        duplicates = sum(resending.duplicates.values()) + retried
        assert last.truth.layer("produce") == duplicates > 400
        assert last.truth.effects == {(SINK, "produce"): duplicates}
        assert len(last.only.logs[MIRROR]) == len(last.only.logs[SOURCE])
        assert last.truth.layer("mirror") == last.truth.layer("consume") == 0
