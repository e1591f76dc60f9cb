"""The main job on real clusters: clean traffic, a mirror killed twice, a sink killed twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from support.dump import end_offsets
from support.mirrormaker import MirrorMaker
from support.oracle import SOURCE, Flow
from support.payments import PaymentProducer
from support.rig import Rig, wait_mirrored
from support.scenario import Acting, Log, Pipeline, Scenario
from support.waiting import wait_until

PARTITIONS = 4
RECORDS = 20_000
COMMIT_EVERY = 500
MIRROR = "to-dr"


class Charging(Acting, Protocol):
    """A sink that can be killed."""

    def start(self, die_after: int = 0) -> None:
        """Start; it dies by itself after so many records, 0: never."""

    def wait_death(self) -> int:
        """The exit code of one that was started to die."""

    def stop(self) -> int:
        """End it; it commits before."""

    def close(self) -> None:
        """Make sure that nothing of it is left."""

    def has_acted_on(self, offsets: dict[int, int]) -> bool:
        """Whether it has acted on the record at each of these offsets, by partition."""


@dataclass(frozen=True)
class Job:
    """The names of one main job, and what its configuration has beside the usual."""

    topic: str = "payments"
    sink: str = "charger"
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def mirrored(self) -> str:
        return f"primary.{self.topic}"

    @property
    def flow(self) -> Flow:
        return Flow(("payment_id",), {MIRROR: SOURCE}, {self.sink: (MIRROR,)}, {self.mirrored: self.topic})


@dataclass
class MainJob:
    """The main job as it is being played."""

    job: Job
    rig: Rig
    producer: PaymentProducer
    mirror: MirrorMaker
    sink: Charging
    scenario: Scenario

    def play(self) -> None:
        """Until all has come to rest."""
        self.sink.start(die_after=6 * COMMIT_EVERY + 211)
        self.produce(4_000, slices=8)
        wait_mirrored(self.rig, self.job.topic)
        self.mirror.stop()
        self.scenario.checkpoint()
        self.mirror.start()
        self.kill_mirror(5_000)
        self.kill_mirror(7_000)
        self.restart_killed_sink(die_after=8 * COMMIT_EVERY + 87)
        self.produce(RECORDS - PARTITIONS - self.producer.total, slices=4)
        self.producer.finish()
        self.restart_killed_sink(die_after=0)
        self.come_to_rest()

    def come_to_rest(self) -> None:
        """Wait until the sink has acted on all, and end it."""
        wait_mirrored(self.rig, self.job.topic)
        last = {number: end - 1 for number, end in self.mirrored_ends().items()}
        wait_until(lambda: self.sink.has_acted_on(last), 60, "sink done")
        assert self.sink.stop() == 0

    def produce(self, count: int, slices: int = 1) -> None:
        for _ in range(slices):
            self.producer.produce(count // slices)

    def mirrored_ends(self) -> dict[int, int]:
        return end_offsets(self.rig.dr.bootstrap, self.job.mirrored)

    def kill_mirror(self, records: int) -> None:
        """Kill the mirror while it copies, with nothing flushed since its start; start it again."""
        self.produce(records // 2, slices=4)
        wait_mirrored(self.rig, self.job.topic)
        copied = sum(self.mirrored_ends().values())
        with ThreadPoolExecutor(1) as beside:
            producing = beside.submit(self.produce, records - records // 2, slices=10)
            wait_until(
                lambda: sum(self.mirrored_ends().values()) > copied, 60, "the mirror is copying", poll=0.02
            )
            self.mirror.kill()
            producing.result()
        self.scenario.checkpoint()
        self.mirror.start()

    def restart_killed_sink(self, die_after: int) -> None:
        assert self.sink.wait_death() == -9
        self.scenario.checkpoint()
        self.sink.start(die_after)


@contextmanager
def main_job(name: str, job: Job, rig: Rig, sink: Charging, folder: Path) -> Iterator[MainJob]:
    """Topics, mirror, detector and producer of one main job; `sink` is not started yet."""
    logs = {
        SOURCE: Log("primary", rig.primary.bootstrap, (job.topic,)),
        MIRROR: Log("dr", rig.dr.bootstrap, (job.mirrored,)),
    }
    clusters = {log.cluster: {"bootstrap.servers": log.bootstrap} for log in logs.values()}
    pipeline = Pipeline(job.topic, job.flow, logs, {job.sink: sink}, stages={job.sink: job.extra})
    with ExitStack() as running:
        running.enter_context(closing(sink))
        scenario = running.enter_context(Scenario(name, folder, clusters, [pipeline]))
        scenario.start()
        producer = PaymentProducer(
            rig.primary.bootstrap, job.topic, PARTITIONS, random.Random(random.random())
        )
        mirror = running.enter_context(closing(rig.mirror(job.topic, flush_seconds=600)))
        yield MainJob(job, rig, producer, mirror, sink, scenario)


def create_topics(rig: Rig, job: Job) -> None:
    """The topics on both clusters, before anything looks for them."""
    for broker, topic in ((rig.primary, job.topic), (rig.dr, job.mirrored)):
        broker.create_topic(topic, PARTITIONS)
