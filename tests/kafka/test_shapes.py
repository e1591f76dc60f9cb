"""Pipelines of other shapes than one mirror: chains, cycles, fan-out, two mirrors into one topic."""

from __future__ import annotations

import pytest

from support.agreement import finish
from support.mirrormaker import MirrorSettings
from support.oracle import SOURCE, Flow
from support.payments import Plan
from support.rig import wait_copied
from support.scenario import Pipeline
from support.stand import PARTITIONS, log, records_in, start_again, wait_acted
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

KEY = ("payment_id",)
NEVER = 600
"""Seconds between a MirrorMaker's notes of its offsets: a kill loses all since its start."""


class TestChain:
    FLOW = Flow(
        KEY,
        {"to-dr": SOURCE, "to-far": "to-dr"},
        {"near": ("to-dr",), "distant": ("to-far",)},
        {"primary.chain": "chain", "dr.primary.chain": "chain"},
    )

    @pytest.mark.timeout(240)
    def test_each_mirror_answers_for_its_own_copies_and_not_for_those_of_the_other(self, rig, stand):
        primary, dr, far = rig.primary, rig.dr, rig.far
        places = {
            SOURCE: (primary, "chain"),
            "to-dr": (dr, "primary.chain"),
            "to-far": (far, "dr.primary.chain"),
        }
        for broker, topic in places.values():
            broker.create_topic(topic, PARTITIONS)
        sinks = {
            "near": stand.sink(*places["to-dr"], "chain-near"),
            "distant": stand.sink(*places["to-far"], "chain-distant"),
        }
        logs = {stage: log(*place) for stage, place in places.items()}
        groups = {name: {"group": f"chain-{name}"} for name in sinks}
        scenario = stand.scenario("chain", [Pipeline("chain", self.FLOW, logs, sinks, stages=groups)])
        scenario.start()
        producer = stand.producer(primary, "chain")
        first = stand.mirror(primary, dr, MirrorSettings("chain", NEVER, label="chain-1"))
        second = stand.mirror(dr, far, MirrorSettings("primary.chain", NEVER, label="chain-2"))
        first.start()
        second.start()
        sinks["near"].start()
        sinks["distant"].start(die_after=700)

        producer.produce(1500)
        wait_copied(places["to-dr"], places["to-far"])
        wait_copied(places[SOURCE], places["to-dr"])
        scenario.checkpoint()
        copied = records_in(dr, "primary.chain")
        start_again(first)
        wait_until(lambda: records_in(dr, "primary.chain") > copied, 60, "the first hop copies again")
        wait_copied(places[SOURCE], places["to-dr"])
        wait_copied(places["to-dr"], places["to-far"])
        start_again(second)  # on copies that lie upstream already: no later twin can explain them
        producer.produce(1500)
        assert sinks["distant"].wait_death() == -9
        scenario.checkpoint()
        sinks["distant"].start()
        producer.finish()
        wait_copied(places[SOURCE], places["to-dr"])
        wait_copied(places["to-dr"], places["to-far"])
        for name, stage in (("near", "to-dr"), ("distant", "to-far")):
            wait_acted(sinks[name], *places[stage])
            assert sinks[name].stop() == 0

        truth = finish(scenario).truth
        assert all(sum(truth.places(stage).values()) > 100 for stage in ("to-dr", "to-far"))
        assert truth.layer("produce") > 20
        assert sum(truth.places("distant").values()) > 50
        assert truth.effects["distant", "mirror"] > truth.effects["near", "mirror"] > 100
        assert (+truth.missing, truth.unbalanced) == ({}, [])


class TestCycle:
    FLOW = Flow(KEY, {"to-dr": SOURCE})

    @pytest.mark.timeout(240)
    def test_what_comes_back_into_the_source_log_is_produced_again_and_the_mirror_is_innocent(
        self, rig, stand
    ):
        for broker in (rig.primary, rig.dr):
            broker.create_topic("cycle", PARTITIONS)
        logs = {SOURCE: log(rig.primary, "cycle"), "to-dr": log(rig.dr, "cycle")}
        stages = {"to-dr": {"policy": "identity"}}
        scenario = stand.scenario("cycle", [Pipeline("cycle", self.FLOW, logs, stages=stages)])
        scenario.start()
        stand.producer(rig.primary, "cycle", {Plan.NEW: 1}).produce(300)
        slow = {f"{name}.producer.linger.ms": 1000 for name in ("primary", "dr")}
        settings = MirrorSettings(
            "cycle", NEVER, tuple(slow.items()), naming="identity", label="cycle", both_ways=True
        )
        mirror = stand.mirror(rig.primary, rig.dr, settings)
        mirror.start()
        wait_until(lambda: records_in(rig.primary, "cycle") > 900, 90, "records have come round")
        scenario.checkpoint()
        wait_until(lambda: records_in(rig.primary, "cycle") > 2500, 90, "and round")
        mirror.stop()

        last = finish(scenario)
        assert last.truth.layer("produce") == len(last.only.logs[SOURCE]) - 300 > 2000
        assert last.truth.layer("mirror") == 0
        assert not any(last.truth.unverified.values())


class TestTwoMirrorsIntoOneTopic:
    FLOW = Flow(KEY, {"to-dr": SOURCE}, {"charger": ("to-dr",)}, {"primary.twice": "twice"})

    @pytest.mark.timeout(240)
    def test_the_second_set_are_mirror_duplicates(self, rig, stand):
        places = {SOURCE: (rig.primary, "twice"), "to-dr": (rig.dr, "primary.twice")}
        for broker, topic in places.values():
            broker.create_topic(topic, PARTITIONS)
        sink = stand.sink(*places["to-dr"], "twice")
        logs = {stage: log(*place) for stage, place in places.items()}
        stages = {"charger": {"group": "twice"}}
        scenario = stand.scenario(
            "two mirrors", [Pipeline("twice", self.FLOW, logs, {"charger": sink}, stages=stages)]
        )
        scenario.start()
        producer = stand.producer(rig.primary, "twice")
        for label in ("twice-1", "twice-2"):
            stand.mirror(rig.primary, rig.dr, MirrorSettings("twice", label=label)).start()
        sink.start()
        producer.produce(1000)
        wait_until(lambda: records_in(*places["to-dr"]) == 2000, 90, "both have copied all")
        scenario.checkpoint()
        producer.produce(1000)
        producer.finish()
        everything = 2 * producer.total
        wait_until(lambda: records_in(*places["to-dr"]) == everything, 90, "both have copied all again")
        wait_acted(sink, *places["to-dr"])
        assert sink.stop() == 0

        last = finish(scenario)
        unkeyed = last.truth.unkeyed[SOURCE]
        assert last.truth.layer("mirror") == producer.total - unkeyed > 1900
        assert last.truth.effects["charger", "mirror"] == last.truth.layer("mirror")


class TestFanOut:
    """Two mirrors of one source, two groups that do the same job, and two pipelines in one process."""

    FLOW = Flow(
        KEY,
        {"to-dr": SOURCE, "to-far": SOURCE},
        {"blue": ("to-dr",), "green": ("to-dr",), "at-home": (SOURCE,), "distant": ("to-far",)},
        {"primary.fan": "fan", "primary-fan": "fan"},
    )
    OTHER = Flow(("amount", "payment_id"), {"to-far": SOURCE}, {}, {"primary-fan": "fan"})

    @pytest.mark.timeout(240)
    def test_every_stage_of_every_pipeline_answers_for_itself(self, rig, stand):
        places = {
            SOURCE: (rig.primary, "fan"),
            "to-dr": (rig.dr, "primary.fan"),
            "to-far": (rig.far, "primary-fan"),
        }
        for broker, topic in places.values():
            broker.create_topic(topic, PARTITIONS)
        sinks = {
            name: stand.sink(*places[reads[0]], f"fan-{name}") for name, reads in self.FLOW.sinks.items()
        }
        scenario = stand.scenario("fan-out", self.pipelines(places, sinks))
        scenario.start()
        producer = stand.producer(rig.primary, "fan")
        near = stand.mirror(rig.primary, rig.dr, MirrorSettings("fan", NEVER, label="fan-1"))
        far = stand.mirror(rig.primary, rig.far, MirrorSettings("fan", NEVER, naming="-", label="fan-2"))
        for part in (near, far, sinks["green"], sinks["at-home"]):
            part.start()
        sinks["blue"].start(die_after=550)
        sinks["distant"].start(die_after=350)
        producer.produce(1000)
        wait_copied(places[SOURCE], places["to-dr"])
        wait_copied(places[SOURCE], places["to-far"])
        for name in ("blue", "distant"):
            assert sinks[name].wait_death() == -9
            sinks[name].start()
        scenario.checkpoint()
        start_again(far)
        producer.produce(1500)
        producer.finish()
        wait_copied(places[SOURCE], places["to-dr"])
        wait_copied(places[SOURCE], places["to-far"])
        for name, reads in self.FLOW.sinks.items():
            wait_acted(sinks[name], *places[reads[0]])
            assert sinks[name].stop() == 0

        truth = finish(scenario).lists["one"].truth
        assert (sum(truth.places("to-dr").values()), sum(truth.places("to-far").values()) > 100) == (0, True)
        repeats = {name: sum(truth.places(name).values()) for name in sinks}
        assert (repeats["green"], repeats["at-home"]) == (0, 0)
        assert min(repeats["blue"], repeats["distant"]) > 50
        assert truth.unbalanced == []

    def pipelines(self, places, sinks) -> list[Pipeline]:
        """One with all of it, and one over a part of the same logs with another key and another start."""
        logs = {stage: log(*place) for stage, place in places.items()}
        stages = {name: {"group": f"fan-{name}"} for name in sinks}
        stages["to-far"] = {"separator": "-"}
        one = Pipeline("one", self.FLOW, logs, sinks, stages=stages)
        fewer = {stage: logs[stage] for stage in (SOURCE, "to-far")}
        other = Pipeline("other", self.OTHER, fewer, stages={"to-far": {"separator": "-"}})
        return [one, other]
