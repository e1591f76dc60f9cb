"""Nothing is duplicated, and the destination is read long before the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agreement import finish, suspects_seen
from support.one_mirror import MIRROR, PARTITIONS, OneMirror, Shape
from support.oracle import SOURCE
from support.payments import Plan
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

RECORDS = 50_000
SLOW_BYTES_PER_SECOND = 150_000


@pytest.fixture
def pipeline(rig: Rig, tmp_path: Path) -> Iterator[OneMirror]:
    with OneMirror(rig, Shape("clean", "clean-payments", gated=True), tmp_path) as parts:
        yield parts
    rig.primary.gate.bytes_per_second = None


class TestClean:
    @pytest.mark.timeout(240)
    def test_a_destination_that_is_ahead_of_a_slow_source_makes_no_duplicates(self, rig, pipeline):
        producer = pipeline.producer({Plan.NEW: 1})
        pipeline.scenario.start()
        rig.primary.gate.bytes_per_second = SLOW_BYTES_PER_SECOND
        pipeline.mirror.start()
        pipeline.sink.start()
        producer.produce(RECORDS // 2)
        pipeline.wait_mirrored()
        pipeline.mirror.stop()
        pipeline.scenario.checkpoint()
        producer.produce(RECORDS - RECORDS // 2 - PARTITIONS)
        producer.finish()
        pipeline.mirror.start()
        pipeline.wait_mirrored()
        wait_until(lambda: suspects_seen(pipeline.scenario, MIRROR), 60, "the destination is ahead")
        pipeline.wait_acted()
        rig.primary.gate.bytes_per_second = None
        assert pipeline.sink.stop() == 0

        last = finish(pipeline.scenario)
        assert len(last.only.logs[SOURCE]) == len(last.only.logs[MIRROR]) == RECORDS
        assert last.truth.extras == {}
        assert not any(last.truth.unverified.values())
