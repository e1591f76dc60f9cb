"""The parts of a scenario of any shape: mirrors, sinks and the program, all ended when the block is left."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from support.broker import Broker
from support.dump import end_offsets
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.payments import WEIGHTS, PaymentProducer, Plan
from support.rig import Rig
from support.running import Running
from support.scenario import Log, Pipeline, Scenario
from support.sink import SinkProcess, SinkSettings
from support.waiting import wait_until

PARTITIONS = 3
STEP_SECONDS = 90
"""How long one step (all is copied, all is acted on) may take on a busy machine."""


class Stand(Running):
    """Makes parts. Topics, groups and labels are the test's to name: all tests share the clusters."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        super().__init__()
        self.rig = rig
        self.folder = folder
        self._made = 0

    def mirror(self, source: Broker, destination: Broker, settings: MirrorSettings) -> MirrorMaker:
        """A mirror, not started yet."""
        self._made += 1
        mirror = MirrorMaker(source, destination, settings, self.folder / f"mirror-{self._made}")
        return self._running.enter_context(closing(mirror))

    def sink(self, broker: Broker, topic: str, group: str, commit_every: int = 200) -> SinkProcess:
        """A sink with files of its own, not started yet."""
        settings = SinkSettings(broker.bootstrap, broker.name, topic, group, commit_every=commit_every)
        return self._running.enter_context(closing(SinkProcess(settings, self.folder / group)))

    def scenario(self, name: str, pipelines: Sequence[Pipeline]) -> Scenario:
        """The program with these pipelines, not started yet. Its clusters are those of their logs."""
        logs = [log for pipeline in pipelines for log in pipeline.logs.values()]
        clusters = {log.cluster: {"bootstrap.servers": log.bootstrap} for log in logs}
        return self._running.enter_context(Scenario(name, self.folder, clusters, pipelines))

    def producer(
        self, broker: Broker, topic: str, weights: Mapping[Plan, int] = WEIGHTS, partitions: int = PARTITIONS
    ) -> PaymentProducer:
        draw = random.Random(random.random())
        return PaymentProducer(broker.bootstrap, topic, partitions, draw, weights)


def log(broker: Broker, *topics: str) -> Log:
    return Log(broker.name, broker.bootstrap, topics)


def records_in(broker: Broker, topic: str) -> int:
    """The sum of a topic's end offsets; 0 while there is none."""
    return sum(end_offsets(broker.bootstrap, topic).values())


def wait_acted(sink: SinkProcess, broker: Broker, topic: str) -> None:
    """Wait until a sink has acted on the last record of every partition that has one."""
    last = {number: end - 1 for number, end in end_offsets(broker.bootstrap, topic).items() if end}
    wait_until(lambda: sink.has_acted_on(last), STEP_SECONDS, f"{sink.name} has acted on all")


def start_again(*mirrors: MirrorMaker) -> None:
    """Kill mirrors and start them again: what they have copied since they noted their offsets comes again.

    Then produce more before waiting for the copies: only its end tells that all has come again.
    """
    for mirror in mirrors:
        mirror.kill()
    for mirror in mirrors:
        mirror.start()
