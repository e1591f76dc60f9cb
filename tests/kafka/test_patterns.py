"""Topics by pattern: what appears while the program runs belongs to the pipeline from its first record on."""

from __future__ import annotations

import pytest

from support.agreement import finish
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.oracle import SOURCE, Flow
from support.payments import now_ms
from support.rig import wait_copied
from support.scenario import Pipeline
from support.sending import later, payments, send
from support.several import wait_acted_on_all
from support.stand import PARTITIONS, Stand, log, start_again

pytestmark = pytest.mark.kafka

TOPICS = ("prefix-one", "prefix-two")
MIRRORED = tuple(f"primary.{topic}" for topic in TOPICS)
MIRROR, SINK = "to-dr", "charger"
FLOW = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, dict(zip(MIRRORED, TOPICS, strict=True)))
NEVER = 600


class Parts:
    """Both logs and the sink by pattern; of the topics that match there is one."""

    def __init__(self, stand: Stand) -> None:
        self.rig = rig = stand.rig
        rig.primary.create_topic(TOPICS[0], PARTITIONS)
        rig.dr.create_topic(MIRRORED[0], PARTITIONS)
        self.sink = stand.sink(rig.dr, r"^primary\.prefix-.*", "patterns")
        stages = {
            SOURCE: {"topics": ["^prefix-.*"]},
            MIRROR: {"topics": [r"^primary\.prefix-.*"]},
            SINK: {"group": "patterns"},
        }
        logs = {SOURCE: log(rig.primary, TOPICS[0]), MIRROR: log(rig.dr, MIRRORED[0])}
        self.pipeline = Pipeline("patterns", FLOW, logs, {SINK: self.sink}, stages=stages)
        self.scenario = stand.scenario("patterns", [self.pipeline])
        settings = MirrorSettings("prefix-.*", NEVER, label="patterns")
        self.mirror: MirrorMaker = stand.mirror(rig.primary, rig.dr, settings)

    def add_topic(self) -> None:
        self.rig.primary.create_topic(TOPICS[1], PARTITIONS)
        self.pipeline.logs.update(
            {SOURCE: log(self.rig.primary, *TOPICS), MIRROR: log(self.rig.dr, *MIRRORED)}
        )

    def wait_copied(self, *numbers: int) -> None:
        for number in numbers:
            wait_copied((self.rig.primary, TOPICS[number]), (self.rig.dr, MIRRORED[number]))


class TestPatterns:
    @pytest.mark.timeout(240)
    def test_a_topic_that_appears_is_exact_from_its_first_record_on(self, rig, stand):
        parts = Parts(stand)
        parts.scenario.start()
        parts.mirror.start()
        parts.sink.start(die_after=290)
        first = payments(0, 300, PARTITIONS, now_ms() - 60_000)
        send(rig.primary, TOPICS[0], [*first, *later(first[:20], 1000)])
        parts.wait_copied(0)
        assert parts.sink.wait_death() == -9
        parts.scenario.checkpoint()

        parts.add_topic()
        second = payments(100, 400, PARTITIONS, now_ms() - 60_000)
        send(rig.primary, TOPICS[1], [*second, *later(second[:40], 1000)])
        parts.wait_copied(1)
        parts.sink.start(die_after=500)
        assert parts.sink.wait_death() == -9
        parts.scenario.checkpoint()
        parts.sink.start()
        start_again(parts.mirror)
        for topic in TOPICS:
            send(rig.primary, topic, payments(1000, 30, PARTITIONS))
        parts.wait_copied(0, 1)
        wait_acted_on_all(parts.sink, rig.dr, *MIRRORED)
        assert parts.sink.stop() == 0

        truth = finish(parts.scenario).truth
        assert truth.layer("produce") == 20 + 40
        assert truth.layer("mirror") >= 440, "a mirror that takes up a topic notes its offsets first"
        repeats = truth.places(SINK)
        assert {where.topic for where in repeats} == set(MIRRORED)
        assert sum(repeats.values()) > 90 + 50
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])
