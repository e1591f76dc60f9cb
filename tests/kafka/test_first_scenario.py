"""The main job on real clusters: what the program reports equals what lists that it had no hand in say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.agreement import finish
from support.dump import end_offsets
from support.mirrormaker import MirrorMaker
from support.oracle import SOURCE, Flow
from support.payments import PaymentProducer
from support.rig import Rig, wait_mirrored
from support.scenario import Log, Pipeline, Scenario
from support.sink import SinkProcess, SinkSettings
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC, MIRRORED = "payments", "primary.payments"
PARTITIONS = 4
RECORDS = 20_000
COMMIT_EVERY = 500
MIRROR, SINK = "to-dr", "charger"
FLOW = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, {MIRRORED: TOPIC})


@dataclass
class Story:
    """The scenario as it is being played."""

    rig: Rig
    producer: PaymentProducer
    mirror: MirrorMaker
    sink: SinkProcess
    scenario: Scenario

    def produce(self, count: int, slices: int = 1) -> None:
        for _ in range(slices):
            self.producer.produce(count // slices)

    def mirrored_records(self) -> int:
        return sum(end_offsets(self.rig.dr.bootstrap, MIRRORED).values())


@pytest.fixture
def story(rig: Rig, tmp_path: Path) -> Iterator[Story]:
    for broker, topic in ((rig.primary, TOPIC), (rig.dr, MIRRORED)):
        broker.create_topic(topic, PARTITIONS)
    with ExitStack() as running:
        settings = SinkSettings(rig.dr.bootstrap, "dr", MIRRORED, SINK, commit_every=COMMIT_EVERY)
        sink = running.enter_context(closing(SinkProcess(settings, tmp_path / "sink")))
        scenario = running.enter_context(the_scenario(rig, sink, tmp_path))
        scenario.start()
        producer = PaymentProducer(rig.primary.bootstrap, TOPIC, PARTITIONS, random.Random(random.random()))
        mirror = running.enter_context(closing(rig.mirror(TOPIC, flush_seconds=600)))
        yield Story(rig, producer, mirror, sink, scenario)


def the_scenario(rig: Rig, sink: SinkProcess, folder: Path) -> Scenario:
    logs = {
        SOURCE: Log("primary", rig.primary.bootstrap, (TOPIC,)),
        MIRROR: Log("dr", rig.dr.bootstrap, (MIRRORED,)),
    }
    pipeline = Pipeline("payments", FLOW, logs, {SINK: sink})
    clusters = {log.cluster: {"bootstrap.servers": log.bootstrap} for log in logs.values()}
    return Scenario("main job", folder, clusters, [pipeline])


def play(story: Story) -> None:
    """Clean traffic, a mirror killed twice, a sink killed twice, until all has come to rest."""
    story.sink.start(die_after=6 * COMMIT_EVERY + 211)
    story.produce(4_000, slices=8)
    wait_mirrored(story.rig, TOPIC)
    story.mirror.stop()
    story.scenario.checkpoint()
    story.mirror.start()
    kill_mirror(story, 5_000)
    kill_mirror(story, 7_000)
    restart_killed_sink(story, die_after=8 * COMMIT_EVERY + 87)
    story.produce(RECORDS - PARTITIONS - story.producer.total, slices=4)
    story.producer.finish()
    restart_killed_sink(story, die_after=0)
    wait_mirrored(story.rig, TOPIC)
    ends = end_offsets(story.rig.dr.bootstrap, MIRRORED)
    wait_until(
        lambda: story.sink.has_acted_on({number: end - 1 for number, end in ends.items()}), 60, "sink done"
    )
    assert story.sink.stop() == 0


def kill_mirror(story: Story, records: int) -> None:
    """Kill the mirror while it copies, with nothing flushed since its start; start it again."""
    story.produce(records // 2, slices=4)
    wait_mirrored(story.rig, TOPIC)
    copied = story.mirrored_records()
    with ThreadPoolExecutor(1) as beside:
        producing = beside.submit(story.produce, records - records // 2, slices=10)
        wait_until(lambda: story.mirrored_records() > copied, 60, "the mirror is copying", poll=0.02)
        story.mirror.kill()
        producing.result()
    story.scenario.checkpoint()
    story.mirror.start()


def restart_killed_sink(story: Story, die_after: int) -> None:
    assert story.sink.wait_death() == -9
    story.scenario.checkpoint()
    story.sink.start(die_after)


class TestFirstScenario:
    @pytest.mark.timeout(240)
    def test_reported_duplicates_are_the_true_ones_at_every_scrape_and_at_the_end(self, story):
        play(story)
        lists = finish(story.scenario).only
        truth = lists.truth
        assert len(lists.logs[SOURCE]) == RECORDS
        assert truth.layer("produce") == sum(story.producer.duplicates.values()) > 300
        keyless_again = truth.unkeyed[MIRROR] - truth.unkeyed[SOURCE]
        assert truth.layer("mirror") == len(lists.logs[MIRROR]) - RECORDS - keyless_again > 1000
        assert truth.layer("consume") > 200
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])
