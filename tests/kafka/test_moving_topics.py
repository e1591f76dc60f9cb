"""Topics that move under the reader: created again, grown, added, cut off at their start, compacted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from support import verification
from support.agreement import Ending, assert_never_falls, finish
from support.dump import Dumped, dump, dump_incarnation, end_offsets, merged
from support.dupscope_process import DupscopeProcess, series, total
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.oracle import SOURCE, Flow, Truth, Where, judge
from support.payments import now_ms
from support.rig import wait_copied
from support.scenario import Lists, Pipeline, Scenario
from support.sending import later, payments, send
from support.stand import PARTITIONS, Stand, log, start_again
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

MIRROR = "to-dr"
NEVER = 600
MARGIN_MS = 1000
HOLES = "coverage_holes_total"


@dataclass
class Remembering(Pipeline):
    """A pipeline whose logs lose records: what was ever seen in them counts, by incarnation.

    `places` are those of the last truth, with topic ids; the truth has them without.
    """

    seen: dict[str, list[Dumped]] = field(default_factory=dict)
    places: Counter[Where] = field(default_factory=Counter)

    def remember(self) -> None:
        """Note what lies in the logs now."""
        for stage, where in self.logs.items():
            found = [one for topic in where.topics for one in dump_incarnation(where.bootstrap, topic)]
            self.seen[stage] = merged(self.seen.get(stage, []), found)

    def lists(self) -> Lists:
        self.remember()
        truth = judge(self.flow, self.seen, {})
        self.places, truth.extras = truth.extras, plain(truth.extras)
        return Lists(self.flow, self.seen, {}, {}, truth)


def plain(places: Counter[Where]) -> Counter[Where]:
    found: Counter[Where] = Counter()
    for where, count in places.items():
        found[where._replace(topic_id="")] += count
    return found


def identified(dupscope: DupscopeProcess) -> Counter[Where]:
    """The places of its findings with topic ids."""
    return Counter(
        Where(
            str(line["stage"]),
            str(line["physical_topic"]),
            int(str(line["partition"])),
            int(str(line["offset"])),
            topic_id=str(line["topic_id"]),
        )
        for line in dupscope.lines("duplicate")
    )


class Parts:
    """A source topic, its mirror, and the program that is at work on both."""

    def __init__(self, stand: Stand, name: str, configs: dict[str, dict[str, str]] | None = None) -> None:
        self.stand, self.name = stand, name
        rig = stand.rig
        self.above, self.below = (rig.primary, name), (rig.dr, f"primary.{name}")
        self.flow = Flow(("payment_id",), {MIRROR: SOURCE}, {}, {f"primary.{name}": name})
        for stage, (broker, topic) in ((SOURCE, self.above), (MIRROR, self.below)):
            broker.create_topic(topic, PARTITIONS, (configs or {}).get(stage))
        logs = {SOURCE: log(*self.above), MIRROR: log(*self.below)}
        self.pipeline = Remembering(name, self.flow, logs, settings={"margin": "1s"})

    def start(self) -> Scenario:
        scenario = self.stand.scenario(self.name, [self.pipeline])
        scenario.start()
        return scenario

    def mirror(self, label: str = "1") -> MirrorMaker:
        """A mirror, started; one of a new label knows no offsets."""
        extra = {"sync.topic.configs.enabled": "false"}
        settings = MirrorSettings(self.name, NEVER, tuple(extra.items()), label=f"{self.name}-{label}")
        mirror = self.stand.mirror(*(broker for broker, _ in (self.above, self.below)), settings)
        mirror.start()
        return mirror

    def wait_copied(self) -> None:
        wait_copied(self.above, self.below)


def wait_read(scenario: Scenario, stage: str, count: int) -> None:
    wait_until(
        lambda: total(scenario.scraper.last, "records_total", stage=stage) >= count,
        60,
        f"{count} read of {stage}",
    )


def wait_hole(scenario: Scenario, stage: str) -> Ending:
    """Wait until the re-creation is told and reading is a margin past it; how such a scenario ends.

    A position may have been out of range before the new incarnation was recognised: that is told too.
    """
    name, scraper = next(iter(scenario.pipelines)), scenario.scraper
    recreated, lost = ({"stage": stage, "reason": why} for why in ("topic_recreated", "offset_out_of_range"))
    wait_until(lambda: total(scraper.last, HOLES, **recreated) == PARTITIONS, 60, f"{stage} has begun again")
    since = now_ms() + MARGIN_MS + 500
    wait_until(lambda: now_ms() > since, 30, "the margin has passed")
    out_of_range = total(scraper.last, HOLES, **lost)
    assert out_of_range <= PARTITIONS
    holes = {
        series(HOLES, pipeline=name, **recreated): PARTITIONS,
        series(HOLES, pipeline=name, **lost): out_of_range,
    }
    return Ending(holes, offline=False)


class TestRecreation:
    @pytest.mark.timeout(240)
    @pytest.mark.parametrize(("name", "count"), [("again-more", 450), ("again-fewer", 90)])
    def test_the_source_begins_again_and_both_incarnations_count(self, stand, name, count):
        parts = Parts(stand, name)
        scenario = parts.start()
        mirror = parts.mirror()
        first = payments(0, 300, PARTITIONS)
        send(*parts.above, [*first, *later(first[:30], 1000)])
        parts.wait_copied()
        wait_read(scenario, SOURCE, 330)
        scenario.checkpoint()
        mirror.stop()

        broker, topic = parts.above
        broker.delete_topic(topic)
        broker.create_topic(topic, PARTITIONS)
        send(
            *parts.above,
            [*payments(1000, count - 60, PARTITIONS), *later(first[:60], now_ms() - first[0].timestamp)],
        )
        ending = wait_hole(scenario, SOURCE)
        mirror = parts.mirror("2")
        parts.wait_copied()
        scenario.checkpoint()
        mirror.stop()
        mirror.start()
        send(*parts.above, payments(5000, 120, PARTITIONS))
        parts.wait_copied()
        start_again(mirror)
        send(*parts.above, payments(6000, 30, PARTITIONS))
        parts.wait_copied()

        truth = finish(scenario, ending).truth
        assert (truth.layer("produce"), truth.layer("mirror")) == (30 + 60, 120)
        assert not any(truth.unverified.values())
        assert identified(scenario.dupscope) == parts.pipeline.places

    @pytest.mark.timeout(240)
    def test_a_destination_that_is_filled_again_holds_every_record_twice(self, stand):
        parts = Parts(stand, "refilled")
        scenario = parts.start()
        mirror = parts.mirror()
        send(*parts.above, payments(0, 300, PARTITIONS))
        parts.wait_copied()
        wait_read(scenario, MIRROR, 300)
        scenario.checkpoint()
        mirror.stop()

        broker, topic = parts.below
        broker.delete_topic(topic)
        broker.create_topic(topic, PARTITIONS)
        mirror = parts.mirror("2")
        parts.wait_copied()
        ending = wait_hole(scenario, MIRROR)
        scenario.checkpoint()
        send(*parts.above, payments(1000, 100, PARTITIONS))
        parts.wait_copied()

        truth = finish(scenario, ending).truth
        assert truth.layer("mirror") == 300
        assert not any(truth.unverified.values())
        assert set(identified(scenario.dupscope)) == set(parts.pipeline.places)


class TestGrowth:
    @pytest.mark.timeout(240)
    def test_partitions_that_are_added_are_read_from_their_first_record(self, stand):
        parts = Parts(stand, "grown")
        scenario = parts.start()
        mirror = parts.mirror()
        first = payments(0, 200, PARTITIONS)
        send(*parts.above, first)
        parts.wait_copied()
        scenario.checkpoint()
        parts.above[0].add_partitions(parts.above[1], 5)
        second = payments(1000, 300, 5)
        send(*parts.above, [*second, *later(second[:40], 1000)])
        wait_until(
            lambda: len(end_offsets(parts.below[0].bootstrap, parts.below[1])) == 5, 90, "it has grown"
        )
        parts.wait_copied()
        mirror.stop()
        mirror.start()
        send(*parts.above, payments(2000, 100, 5))
        parts.wait_copied()
        start_again(mirror)
        send(*parts.above, payments(3000, 30, 5))
        parts.wait_copied()

        truth = finish(scenario).truth
        assert (truth.layer("produce"), truth.layer("mirror")) == (40, 100)
        assert not any(truth.unverified.values())

    @pytest.mark.timeout(240)
    def test_topics_that_appear_are_read_from_their_first_record(self, rig, stand):
        topics = ("added-one", "added-two")
        mirrored = tuple(f"primary-{topic}" for topic in topics)
        rig.primary.create_topic(topics[0], PARTITIONS)
        rig.dr.create_topic(mirrored[0], PARTITIONS)
        flow = Flow(("payment_id",), {MIRROR: SOURCE}, {}, dict(zip(mirrored, topics, strict=True)))
        logs = {SOURCE: log(rig.primary, *topics), MIRROR: log(rig.dr, *mirrored)}
        stages = {
            SOURCE: {"topics": ["^added-.*"]},
            MIRROR: {"topics": ["^primary-added-.*"], "separator": "-"},
        }
        scenario = stand.scenario("added", [Pipeline("added", flow, logs, stages=stages)])
        scenario.start()
        settings = MirrorSettings("added-.*", NEVER, naming="-", label="added")
        mirror = stand.mirror(rig.primary, rig.dr, settings)
        mirror.start()
        send(rig.primary, topics[0], payments(0, 200, PARTITIONS))
        wait_copied((rig.primary, topics[0]), (rig.dr, mirrored[0]))
        rig.primary.create_topic(topics[1], PARTITIONS)
        second = payments(0, 200, PARTITIONS)
        send(rig.primary, topics[1], [*second, *later(second[:40], 1000)])
        wait_copied((rig.primary, topics[1]), (rig.dr, mirrored[1]))
        start_again(mirror)
        for topic, below in zip(topics, mirrored, strict=True):
            send(rig.primary, topic, payments(1000, 30, PARTITIONS))
            wait_copied((rig.primary, topic), (rig.dr, below))

        truth = finish(scenario).truth
        assert truth.layer("produce") == 40
        assert truth.layer("mirror") >= 240
        assert not any(truth.unverified.values())


COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
}


class TestLostRecords:
    @pytest.mark.timeout(240)
    def test_records_deleted_after_they_were_read_change_nothing(self, stand):
        parts = Parts(stand, "trimmed")
        scenario = parts.start()
        mirror = parts.mirror()
        first = payments(0, 300, PARTITIONS)
        send(*parts.above, first)
        parts.wait_copied()
        wait_read(scenario, SOURCE, 300)
        scenario.checkpoint()
        mirror.stop()
        broker, topic = parts.above
        broker.delete_records(topic, end_offsets(broker.bootstrap, topic))
        mirror.start()
        more = payments(1000, 100, PARTITIONS)
        send(*parts.above, [*later(first[:30], now_ms() - first[0].timestamp), *more])
        parts.wait_copied()
        start_again(mirror)
        send(*parts.above, payments(2000, 30, PARTITIONS))
        parts.wait_copied()

        truth = finish(scenario, Ending(offline=False)).truth
        assert truth.layer("produce") == 30
        assert truth.layer("mirror") == 130
        assert not any(truth.unverified.values())

    @pytest.mark.timeout(240)
    def test_what_compaction_took_before_it_was_read_is_unverified_and_the_rest_exact(self, stand):
        parts = Parts(stand, "compacted", {SOURCE: COMPACTED})
        begin = now_ms() - 600_000
        mirror = parts.mirror()
        first = payments(0, 150, PARTITIONS, begin)
        send(*parts.above, first)
        parts.wait_copied()
        send(*parts.above, later(first, 60_000))
        send(*parts.above, payments(500, 30, PARTITIONS, begin + 120_000))
        parts.wait_copied()
        mirror.stop()
        wait_until(lambda: len(dump(parts.above[0].bootstrap, parts.above[1])) == 180, 60, "it is compacted")
        old = end_offsets(parts.below[0].bootstrap, parts.below[1])
        kept = {stage: dump(one.bootstrap, one.topics[0]) for stage, one in parts.pipeline.logs.items()}

        scenario = parts.start()
        mirror.start()
        live = payments(1000, 200, PARTITIONS)
        send(*parts.above, live)
        wait_read(scenario, SOURCE, 380)
        parts.wait_copied()
        start_again(mirror)
        send(*parts.above, payments(2000, 30, PARTITIONS))
        parts.wait_copied()
        assert len(kept[MIRROR]) == 330
        self.assert_exact(scenario, parts, old)

    def assert_exact(self, scenario: Scenario, parts: Parts, old: dict[int, int]) -> None:
        """Above those offsets of the mirror all is found; below, the excess is compacted."""
        last = scenario.checkpoint()
        truth: Truth = last.truth
        certain = {w: n for w, n in truth.extras.items() if w.stage == SOURCE or w.offset >= old[w.partition]}
        wait_until(lambda: scenario.dupscope.findings() == certain, 60, "exactly the certain ones are found")
        reason = {"layer": "mirror", "stage": MIRROR, "reason": "compacted"}
        doubtful = truth.extras.total() - sum(certain.values())
        assert doubtful == 150
        scenario.scraper.more(20)
        assert scenario.dupscope.findings() == certain
        assert total(scenario.scraper.last, "unverified_total") == doubtful
        assert total(scenario.scraper.last, "unverified_total", **reason) == doubtful
        scenario.scraper.stop()
        assert_never_falls(scenario)
        assert scenario.dupscope.process.stop(timeout=5) == 0
        verification.add(verification.row(scenario, last))
