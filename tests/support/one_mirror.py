"""The plain pipeline of most scenarios: one source topic, one MirrorMaker, one sink, all of its own."""

from __future__ import annotations

import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from support.dump import committed_offsets, end_offsets
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.oracle import SOURCE, Flow
from support.payments import WEIGHTS, PaymentProducer, Plan
from support.rig import Rig, wait_mirrored
from support.running import Running
from support.scenario import Log, Pipeline, Scenario
from support.sink import SinkProcess, SinkSettings
from support.waiting import wait_until

PIPELINE, MIRROR, SINK = "payments", "to-dr", "charger"
PARTITIONS = 4
STEP_SECONDS = 90
"""How long one step (all is copied, all is acted on) may take on a busy machine."""


@dataclass(frozen=True)
class Shape:
    """What is peculiar to a scenario. `gated`: dupscope reads the source through the source broker's gate."""

    name: str
    topic: str
    reads: tuple[str, ...] = (MIRROR,)
    gated: bool = False
    commit_every: int = 500
    sink_options: tuple[str, ...] = ()
    mirror: Mapping[str, object] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    stages: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def mirrored(self) -> str:
        return f"primary.{self.topic}"

    @property
    def group(self) -> str:
        return f"{SINK}-{self.topic}"

    def flow(self) -> Flow:
        return Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: self.reads}, {self.mirrored: self.topic})


class OneMirror(Running):
    """The parts, ready to be started; all are ended when the block is left."""

    def __init__(self, rig: Rig, shape: Shape, folder: Path) -> None:
        super().__init__()
        self.rig = rig
        self.shape = shape
        self.folder = folder
        for broker, topic in ((rig.primary, shape.topic), (rig.dr, shape.mirrored)):
            broker.create_topic(topic, PARTITIONS)
        self.sink = self.sink_of(MIRROR if MIRROR in shape.reads else SOURCE)
        self.mirror = self.mirror_with(shape.mirror)
        self.scenario = self._running.enter_context(self._scenario())

    def sink_of(self, stage: str) -> SinkProcess:
        """A sink that reads one stage's log. All of them keep one list and one audit file."""
        broker, topic = (
            (self.rig.primary, self.shape.topic) if stage == SOURCE else (self.rig.dr, self.shape.mirrored)
        )
        settings = SinkSettings(
            broker.bootstrap,
            broker.name,
            topic,
            self.shape.group,
            commit_every=self.shape.commit_every,
            options=self.shape.sink_options,
        )
        return self._running.enter_context(closing(SinkProcess(settings, self.folder / "sink")))

    def mirror_with(self, properties: Mapping[str, object], store: str = "first") -> MirrorMaker:
        """A MirrorMaker of this scenario alone. One with another `store` knows no offsets and copies all."""
        topic, number = self.shape.topic, len(list(self.folder.glob("mirror-*")))
        kept = {
            f"{kind}.storage.topic": f"mm2-{kind}.{topic}.{store}" for kind in ("offset", "config", "status")
        }
        extra = {"dr.group.id": f"mm2-{topic}-{store}", **kept, **properties}
        settings = MirrorSettings(topic, 600, tuple(extra.items()))
        mirror = MirrorMaker(self.rig.primary, self.rig.dr, settings, self.folder / f"mirror-{number}")
        return self._running.enter_context(closing(mirror))

    def producer(self, weights: Mapping[Plan, int] = WEIGHTS) -> PaymentProducer:
        draw = random.Random(random.random())
        return PaymentProducer(self.rig.primary.bootstrap, self.shape.topic, PARTITIONS, draw, weights)

    def _scenario(self) -> Scenario:
        rig, shape = self.rig, self.shape
        logs = {
            SOURCE: Log("primary", rig.primary.bootstrap, (shape.topic,)),
            MIRROR: Log("dr", rig.dr.bootstrap, (shape.mirrored,)),
        }
        stages = {**shape.stages, SINK: {"group": shape.group, **shape.stages.get(SINK, {})}}
        pipeline = Pipeline(PIPELINE, shape.flow(), logs, {SINK: self.sink}, shape.settings, stages)
        primary = rig.primary.gate.bootstrap if shape.gated else rig.primary.bootstrap
        clusters = {
            "primary": {"bootstrap.servers": primary},
            "dr": {"bootstrap.servers": rig.dr.bootstrap},
        }
        return Scenario(shape.name, self.folder, clusters, [pipeline])

    def wait_mirrored(self) -> None:
        """Wait until all that is in the source is in the mirror. Not for topics with transactions."""
        wait_mirrored(self.rig, self.shape.topic, STEP_SECONDS)

    def mirror_offsets(self) -> int:
        """Offsets taken in the mirror's topic: records, aborted ones too, and markers."""
        return sum(end_offsets(self.rig.dr.bootstrap, self.shape.mirrored).values())

    def kill_mirror(self, producer: PaymentProducer, count: int) -> None:
        """Produce `count` records, kill the mirror while it copies them, start it again."""
        before = self.mirror_offsets()
        with ThreadPoolExecutor(1) as beside:
            producing = [beside.submit(producer.produce, count // 10) for _ in range(10)]
            wait_until(
                lambda: self.mirror_offsets() > before, STEP_SECONDS, "the mirror is copying", poll=0.02
            )
            self.mirror.kill()
            for part in producing:
                part.result()
        self.scenario.checkpoint()
        self.mirror.start()

    def wait_acted(self, stage: str = MIRROR) -> None:
        """Wait until the sink has acted on the last record of every partition of the log that it reads."""
        where = self.scenario.pipelines[PIPELINE].logs[stage]
        last: dict[int, int] = {}
        for record in where.dump():
            last[record.partition] = max(record.offset, last.get(record.partition, 0))
        wait_until(lambda: self.sink.has_acted_on(last), STEP_SECONDS, "the sink has acted on all")

    def wait_committed(self) -> None:
        """Wait until the sink has committed all of the mirror. For one that commits when there is no more."""
        dr, topic = self.rig.dr.bootstrap, self.shape.mirrored

        def committed() -> bool:
            return committed_offsets(dr, self.shape.group, topic) == end_offsets(dr, topic)

        wait_until(committed, STEP_SECONDS, "the sink has committed all")
