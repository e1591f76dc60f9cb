"""The program, a real MirrorMaker and a real sink are killed again and again, all at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.fault_case import FaultCase, Terms, often
from support.killing import kill
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.payments import PaymentProducer
from support.rig import Rig, wait_mirrored
from support.scenario import Log, Pipeline
from support.sink import SinkProcess, SinkSettings
from support.stand import records_in, wait_acted
from support.traffic import MIRROR, PIPELINE, SINK
from support.truth import SOURCE, Flow
from support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

PARTITIONS = 4
RECORDS = 1_200
"""In each round."""


class Story:
    """Producer, mirror and sink as they are played, round by round."""

    def __init__(self, rig: Rig, topic: str, folder: Path, stack: ExitStack) -> None:
        self.rig, self.topic, self.mirrored = rig, topic, f"primary.{topic}"
        for broker, name in ((rig.primary, topic), (rig.dr, self.mirrored)):
            broker.create_topic(name, PARTITIONS)
        settings = SinkSettings(rig.dr.bootstrap, "dr", self.mirrored, f"{SINK}-{topic}", commit_every=200)
        self.sink = stack.enter_context(closing(SinkProcess(settings, folder / "sink")))
        copying = MirrorSettings(topic, 600, label=topic)
        self.mirror = stack.enter_context(
            closing(MirrorMaker(rig.primary, rig.dr, copying, folder / "mirror"))
        )
        draw = random.Random(random.random())
        self.producer = PaymentProducer(rig.primary.bootstrap, topic, PARTITIONS, draw)

    def pipeline(self) -> Pipeline:
        flow = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, {self.mirrored: self.topic})
        logs = {
            SOURCE: Log("primary", self.rig.primary.bootstrap, (self.topic,)),
            MIRROR: Log("dr", self.rig.dr.bootstrap, (self.mirrored,)),
        }
        stages = {SINK: {"group": f"{SINK}-{self.topic}"}}
        return Pipeline(PIPELINE, flow, logs, {SINK: self.sink}, stages=stages)

    def play(self, rounds: int) -> None:
        """In each round the mirror dies while it copies, and the sink by itself; then all comes to rest."""
        self.mirror.start()
        for number in range(rounds):
            self.sink.start(die_after=RECORDS // 2 + 87 * number)
            before = records_in(self.rig.dr, self.mirrored)
            self.produce(RECORDS // 2)
            wait_until(
                lambda before=before: records_in(self.rig.dr, self.mirrored) > before, 90, "copies", poll=0.02
            )
            self.mirror.kill()
            self.mirror.start()
            self.produce(RECORDS // 2)
            assert self.sink.wait_death(120) == -9
        self.sink.start()
        self.producer.finish()
        wait_mirrored(self.rig, self.topic, 120)
        wait_acted(self.sink, self.rig.dr, self.mirrored)
        assert self.sink.stop() == 0

    def produce(self, count: int) -> None:
        for _ in range(4):
            self.producer.produce(count // 4)


@pytest.fixture
def story(rig: Rig, seed: int, tmp_path: Path) -> Iterator[Story]:
    with ExitStack() as stack:
        yield Story(rig, f"mirrored-{seed:x}", tmp_path, stack)


class TestMirrorMaker:
    def test_everything_is_killed(self, story, seed, tmp_path):
        draw = random.Random(seed)
        terms = Terms("program, MirrorMaker and sink killed", "real")
        with FaultCase(tmp_path, story.pipeline(), terms) as case, ThreadPoolExecutor(1) as beside:
            case.watch.start()
            playing = beside.submit(story.play, often(4))
            while not playing.done():
                kill(case, draw)
                case.not_ahead()
            playing.result()
            case.runs.start()
            lists = case.finish()
        truth = lists.truth
        assert min(truth.layer(layer) for layer in ("produce", "mirror", "consume")) > 100
