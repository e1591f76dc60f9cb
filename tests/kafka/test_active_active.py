"""One business on two clusters: each produces, and each mirrors to the other."""

from __future__ import annotations

import pytest

from support.agreement import finish
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.oracle import SOURCE, Flow
from support.payments import Payment, now_ms
from support.rig import wait_copied
from support.scenario import Log, Scenario
from support.sending import later, payments, send
from support.several import SeveralSources, clustered, wait_acted_on_all
from support.sink import SinkProcess
from support.stand import PARTITIONS, Stand, log, start_again

pytestmark = pytest.mark.kafka

TOPIC = "active"
MIRRORED = {"dr": "primary.active", "primary": "dr.active"}
"""The topic that holds the other cluster's records, by cluster."""

FLOW = Flow(
    ("payment_id",),
    {"to-dr": "source@primary", "to-primary": "source@dr"},
    {"at-primary": ("source@primary", "to-primary"), "at-dr": ("source@dr", "to-dr")},
    dict.fromkeys(MIRRORED.values(), TOPIC),
)
NEVER = 600
SHARED = 100
"""Payments that both clusters produce; those of `dr` are later, so they are the duplicates."""


class Parts:
    """Topics, mirrors and sinks on both clusters, and the program that is at work on all of them."""

    def __init__(self, stand: Stand) -> None:
        rig = stand.rig
        self.brokers = {broker.name: broker for broker in (rig.primary, rig.dr)}
        for broker in self.brokers.values():
            for topic in (TOPIC, MIRRORED[broker.name]):
                broker.create_topic(topic, PARTITIONS)
        self.forth = self.mirror(stand, "primary", "dr")
        self.back = self.mirror(stand, "dr", "primary")
        self.sinks = {f"at-{name}": self.sink(stand, name) for name in self.brokers}
        self.pipeline = SeveralSources(
            TOPIC,
            FLOW,
            {SOURCE: log(rig.primary, TOPIC), **{f"to-{name}": self.mirror_log(name) for name in MIRRORED}},
            dict(self.sinks),
            stages={name: {"group": f"active-{name}"} for name in self.sinks},
            sources=tuple(log(broker, TOPIC) for broker in self.brokers.values()),
            at={f"at-{name}": name for name in self.brokers},
        )
        self.scenario: Scenario = stand.scenario("active-active", [self.pipeline])

    def mirror(self, stand: Stand, above: str, below: str) -> MirrorMaker:
        settings = MirrorSettings(TOPIC, NEVER, label=f"active-{below}")
        return stand.mirror(self.brokers[above], self.brokers[below], settings)

    def mirror_log(self, cluster: str) -> Log:
        return log(self.brokers[cluster], MIRRORED[cluster])

    def sink(self, stand: Stand, cluster: str) -> SinkProcess:
        """A sink of both topics of its cluster."""
        other = MIRRORED[cluster].removesuffix(f".{TOPIC}")
        return stand.sink(self.brokers[cluster], rf"^({other}\.)?{TOPIC}$", f"active-at-{cluster}")

    def send(self, cluster: str, what: list[Payment]) -> None:
        send(self.brokers[cluster], TOPIC, what)

    def wait_copied(self) -> None:
        primary, dr = self.brokers["primary"], self.brokers["dr"]
        wait_copied((primary, TOPIC), (dr, MIRRORED["dr"]))
        wait_copied((dr, TOPIC), (primary, MIRRORED["primary"]))

    def wait_acted(self) -> None:
        for name, broker in self.brokers.items():
            wait_acted_on_all(self.sinks[f"at-{name}"], broker, TOPIC, MIRRORED[name])


class TestActiveActive:
    @pytest.mark.timeout(240)
    def test_each_direction_answers_for_its_own_copies_and_what_both_produce_is_produced_twice(self, stand):
        parts = Parts(stand)
        parts.scenario.start()
        for part in (parts.forth, parts.back, parts.sinks["at-primary"]):
            part.start()
        parts.sinks["at-dr"].start(die_after=350)
        begin = now_ms() - 60_000
        here = payments(0, 500, PARTITIONS, begin)
        there = payments(500 - SHARED, 500, PARTITIONS, begin + 10_000)
        parts.send("primary", [*here, *later(here[:30], 1000)])
        parts.send("dr", [*there, *later(there[-20:], 1000)])
        parts.wait_copied()
        assert parts.sinks["at-dr"].wait_death() == -9
        parts.scenario.checkpoint()

        parts.sinks["at-dr"].start()
        start_again(parts.forth)
        parts.send("primary", payments(2000, 100, PARTITIONS))
        parts.send("dr", payments(2050, 100, PARTITIONS, now_ms() + 1000))
        parts.wait_copied()
        parts.wait_acted()
        for sink in parts.sinks.values():
            assert sink.stop() == 0

        truth = finish(parts.scenario).truth
        found = clustered(parts.scenario.dupscope, *parts.brokers.values())
        assert found == parts.pipeline.places
        assert truth.layer("produce") == SHARED + 30 + 20 + 50
        assert (sum(truth.places("to-dr").values()), sum(truth.places("to-primary").values())) == (530, 0)
        assert sum(truth.places("at-dr").values()) > 50
        assert sum(truth.places("at-primary").values()) == 0
        assert truth.effects["at-dr", "mirror"] == 530
        assert truth.effects["at-primary", "produce"] == truth.layer("produce")
        assert (+truth.missing, +truth.unverified) == ({}, {})
