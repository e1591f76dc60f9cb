"""Audit lines say nothing of the record that was acted on, its place in the source, or in either log."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from support.agreement import finish
from support.dump import end_offsets
from support.one_mirror import MIRROR, SINK, OneMirror, Shape
from support.oracle import SOURCE
from support.rig import Rig

pytestmark = pytest.mark.kafka

RECORDS = 6_000
UNPLACED = Shape("no positions", "unplaced-payments", sink_options=("--no-positions",))
UPSTREAM = Shape("source positions", "upstream-payments", reads=(SOURCE,))
FAILOVER = Shape("failover", "moved-payments", reads=(SOURCE, MIRROR))


def die_twice(pipeline: OneMirror) -> None:
    """The sink dies before it has committed, starts again, and once more."""
    for records in (1_711, 0):
        assert pipeline.sink.wait_death() == -9
        pipeline.scenario.checkpoint()
        pipeline.sink.start(die_after=records)


def commit_ends(rig: Rig, shape: Shape) -> None:
    """What a translation of offsets does: the group's place in the mirror is its end as it is now."""
    group = Consumer({"bootstrap.servers": rig.dr.bootstrap, "group.id": shape.group})
    ends = end_offsets(rig.dr.bootstrap, shape.mirrored)
    offsets = [TopicPartition(shape.mirrored, number, end) for number, end in ends.items()]
    group.commit(offsets=offsets, asynchronous=False)
    group.close()


class TestPositions:
    @pytest.mark.timeout(240)
    def test_without_positions_effects_beyond_the_copies_are_repeats(self, rig: Rig, tmp_path: Path):
        with OneMirror(rig, UNPLACED, tmp_path) as pipeline:
            producer = pipeline.producer()
            pipeline.scenario.start()
            pipeline.mirror.start()
            pipeline.sink.start(die_after=1_203)
            for _ in range(4):
                producer.produce(RECORDS // 4)
            producer.finish()
            pipeline.wait_mirrored()
            die_twice(pipeline)
            pipeline.wait_acted()
            assert pipeline.sink.stop() == 0

            last = finish(pipeline.scenario)
        assert all(effect.where is None for effect in last.only.effects[SINK])
        assert last.truth.layer("produce") == sum(producer.duplicates.values()) > 50
        assert last.truth.layer("consume") > 200
        assert last.truth.layer("mirror") == 0

    @pytest.mark.timeout(240)
    def test_a_sink_of_the_source_has_nothing_to_do_with_what_the_mirror_does(self, rig: Rig, tmp_path: Path):
        with OneMirror(rig, UPSTREAM, tmp_path) as pipeline:
            producer = pipeline.producer()
            pipeline.scenario.start()
            pipeline.mirror.start()
            pipeline.sink.start(die_after=1_203)
            producer.produce(RECORDS // 2)
            pipeline.wait_mirrored()
            pipeline.kill_mirror(producer, RECORDS // 2)
            producer.finish()
            pipeline.wait_mirrored()
            die_twice(pipeline)
            pipeline.wait_acted(SOURCE)
            assert pipeline.sink.stop() == 0

            last = finish(pipeline.scenario)
        truth = last.truth
        assert truth.layer("mirror") > 500
        assert truth.layer("consume") == truth.effects[SINK, "consume"] > 200
        assert truth.layer("produce") == truth.effects[SINK, "produce"] == sum(producer.duplicates.values())
        assert truth.effects[SINK, "mirror"] == 0

    @pytest.mark.timeout(240)
    def test_a_sink_that_moves_to_the_mirror_acts_on_faithful_copies_again(self, rig: Rig, tmp_path: Path):
        with OneMirror(rig, FAILOVER, tmp_path) as pipeline:
            producer = pipeline.producer()
            at_source = pipeline.sink_of(SOURCE)
            pipeline.scenario.start()
            pipeline.mirror.start()
            at_source.start(die_after=4_307)
            producer.produce(RECORDS // 2)
            pipeline.wait_mirrored()
            commit_ends(rig, FAILOVER)
            pipeline.kill_mirror(producer, RECORDS // 3)
            assert at_source.wait_death() == -9
            pipeline.scenario.checkpoint()
            pipeline.sink.start()
            producer.produce(RECORDS // 6)
            producer.finish()
            pipeline.wait_mirrored()
            pipeline.wait_acted()
            assert pipeline.sink.stop() == 0

            last = finish(pipeline.scenario)
        effects = last.only.effects[SINK]
        assert {one.where.stage for one in effects} == {SOURCE, MIRROR}
        assert len(effects) > len(last.only.logs[SOURCE])
        assert last.truth.layer("consume") > 500
        assert last.truth.effects[SINK, "mirror"] > 100
