"""Records that no one expects: a key with 100,000 copies, one that returns, odd times, other clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from support import verification
from support.agreement import Ending, assert_never_falls, finish
from support.dupscope_process import series, total
from support.mirrormaker import MirrorSettings
from support.oracle import SOURCE, Flow, Where, judge
from support.partly import Partly, number
from support.payments import Payment, now_ms
from support.rig import wait_copied
from support.scenario import Checkpoint, Scenario
from support.sending import later, payments, send
from support.stand import PARTITIONS, Stand, log, start_again, wait_acted
from support.truth import place
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

MIRROR, SINK = "to-dr", "charger"
NEVER = 600
HOT, CASE_LIMIT = 100_000, 1000
DAY_MS = 24 * 3600 * 1000


class Parts:
    """A source topic, its mirror and the program."""

    def __init__(self, stand: Stand, name: str, flow: Flow, topics: dict[str, dict[str, str]]) -> None:
        self.stand = stand
        rig = stand.rig
        self.above, self.below = (rig.primary, name), (rig.dr, f"primary.{name}")
        for stage, (broker, topic) in ((SOURCE, self.above), (MIRROR, self.below)):
            broker.create_topic(topic, PARTITIONS, topics.get(stage))
        settings = MirrorSettings(name, NEVER, label=name)
        self.mirror = stand.mirror(rig.primary, rig.dr, settings)
        self.sink = stand.sink(*self.below, name) if SINK in flow.sinks else None
        self.flow = flow
        self.name = name

    def scenario(self, covered: Callable[[int], bool] = lambda _: True, **settings: object) -> Scenario:
        logs = {SOURCE: log(*self.above), MIRROR: log(*self.below)}
        stages: dict[str, dict[str, object]] = {SINK: {"group": self.name}}
        if self.flow.tags:
            stages[MIRROR] = {"tag": list(self.flow.tags[MIRROR])}
        sinks = {SINK: self.sink} if self.sink else {}
        pipeline = Partly(self.name, self.flow, logs, sinks, settings, stages, covered=covered)
        return self.stand.scenario(self.name.replace("-", " "), [pipeline])

    def send(self, what: list[Payment]) -> None:
        send(*self.above, what)

    def wait_copied(self) -> None:
        wait_copied(self.above, self.below, timed=not self.flow.tags)


def flow(name: str, **more: object) -> Flow:
    return replace(Flow(("payment_id",), {MIRROR: SOURCE}, {}, {f"primary.{name}": name}), **more)


class TestHotKey:
    FLOW = flow("hot-key")

    @pytest.mark.timeout(240)
    def test_a_key_with_100_000_copies_hides_no_other_and_nothing_of_it_is_silent(self, stand):
        parts = Parts(stand, "hot-key", self.FLOW, {})
        scenario = parts.scenario(lambda payment: payment > 0)
        scenario.start()
        parts.mirror.start()
        parts.send([Payment(0, 1, 0, now_ms() + n) for n in range(HOT // 2)])
        others = payments(1, 300, PARTITIONS)
        parts.send([*others, *later(others[:40], 5000)])
        parts.send([Payment(0, 1, 0, now_ms() + n) for n in range(HOT // 2, HOT)])
        parts.wait_copied()
        parts.mirror.stop()
        parts.mirror.start()
        parts.send(more := payments(301, 100, PARTITIONS))
        parts.wait_copied()
        start_again(parts.mirror)
        parts.send(payments(401, 30, PARTITIONS))
        parts.wait_copied()

        labels = {"pipeline": "hot-key", "stage": SOURCE}
        scraper = scenario.scraper
        wait_until(lambda: total(scraper.last, "records_total", **labels) == HOT + 470, 120, "all is read")
        last = scenario.checkpoint()
        wait_until(lambda: self.others(scenario, last) == last.truth.extras, 60, "all others are found")
        scraper.more(20)
        assert self.others(scenario, last) == last.truth.extras
        assert (last.truth.layer("produce"), last.truth.layer("mirror")) == (40, len(more))
        self.assert_accounted(scenario, last)
        scraper.stop()
        assert_never_falls(scenario)
        assert scenario.dupscope.process.stop(timeout=5) == 0

    def others(self, scenario: Scenario, last: Checkpoint) -> Counter[Where]:
        """What was found of all keys but the hot one."""
        hot = self.places(last)
        return Counter({where: n for where, n in scenario.dupscope.findings().items() if where not in hot})

    def places(self, last: Checkpoint) -> set[Where]:
        """Where the hot key lies."""
        logs = last.only.logs.items()
        return {place(stage, one) for stage, records in logs for one in records if number(one) == 0}

    def assert_accounted(self, scenario: Scenario, last: Checkpoint) -> None:
        """Of the hot key nothing false is found, and every copy beyond the bound is counted by its reason."""
        full = judge(self.FLOW, last.only.logs, {})
        findings = scenario.dupscope.findings()
        assert findings.keys() <= full.extras.keys()
        closed = {
            stage: total(scenario.scraper.last, "unverified_total", stage=stage, reason="hot_key")
            for stage in (SOURCE, MIRROR)
        }
        found = sum(findings[where] for where in self.places(last))
        assert 1 + found + closed[SOURCE] == HOT
        assert HOT - CASE_LIMIT <= closed[MIRROR] <= HOT
        assert total(scenario.scraper.last, "unverified_total") == closed[SOURCE] + closed[MIRROR]
        lists = replace(last.only, truth=full)
        verification.add(verification.row(scenario, Checkpoint(last.scrapes, {"hot-key": lists})))


class TestAKeyThatReturns:
    WINDOW_MS = 60_000
    FLOW = flow("return", window_ms=WINDOW_MS)

    @pytest.mark.timeout(240)
    def test_after_the_window_it_is_another_fact(self, stand):
        parts = Parts(stand, "return", self.FLOW, {})
        begin = now_ms() - 600_000
        first = payments(0, 200, PARTITIONS, begin)
        parts.send([*first, *later(first[:30], 20_000), *later(first, 150_000), *later(first[:50], 210_000)])
        parts.mirror.start()
        parts.wait_copied()
        parts.mirror.stop()
        scenario = parts.scenario(window="60s", margin="1s")
        scenario.start()
        wait_until(lambda: scenario.dupscope.lines("ready"), 30, "it is ready")
        scenario.checkpoint()
        parts.mirror.start()
        again = later(first, now_ms() - begin)
        parts.send([*again, *later(again[:20], 1000)])
        parts.wait_copied()
        start_again(parts.mirror)
        parts.send(payments(1000, 30, PARTITIONS))
        parts.wait_copied()

        truth = finish(scenario).truth
        assert (truth.layer("produce"), truth.layer("mirror")) == (30 + 50 + 20, 220)
        assert not any(truth.unverified.values())


ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1), "retention.ms": "-1"}


class TestOddTimes:
    FLOW = flow("odd-times")
    LONG_AGO, FAR_AHEAD = range(1000, 1030), range(2000, 2030)
    IN_2099_MS = 4_075_000_000_000

    @pytest.mark.timeout(240)
    def test_1970_has_expired_and_2099_moves_no_edge(self, stand):
        parts = Parts(stand, "odd-times", self.FLOW, {SOURCE: ANY_TIME, MIRROR: ANY_TIME})
        scenario = parts.scenario(lambda payment: payment not in self.LONG_AGO, margin="10s")
        scenario.start()
        parts.mirror.start()
        parts.send(payments(0, 100, PARTITIONS))
        parts.wait_copied()
        wait_until(lambda: scenario.dupscope.lines("ready"), 30, "it is ready")
        parts.mirror.stop()
        scenario.checkpoint()
        parts.mirror.start()
        old = payments(self.LONG_AGO.start, 30, PARTITIONS, 1)
        new = payments(self.FAR_AHEAD.start, 30, PARTITIONS, self.IN_2099_MS)
        parts.send([*new, *later(new[:10], 1000), *old, *later(old[:10], 1000)])
        parts.send(payments(100, 100, PARTITIONS))
        parts.wait_copied()
        start_again(parts.mirror)
        parts.send(payments(200, 30, PARTITIONS))
        parts.wait_copied()

        labels = {"pipeline": "odd-times", "reason": "expired"}
        expired = {
            series("unverified_total", layer="produce", stage=SOURCE, **labels): 40,
            series("unverified_total", layer="mirror", stage=MIRROR, **labels): 80,
        }
        truth = finish(scenario, Ending(expired, offline=False)).truth
        assert (truth.layer("produce"), truth.layer("mirror")) == (10, 140)


APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


class TestLogAppendTime:
    @pytest.mark.timeout(240)
    @pytest.mark.parametrize(
        ("name", "stage", "tags"),
        [("append-above", SOURCE, {}), ("append-below", MIRROR, {MIRROR: ("key", "value")})],
    )
    def test_a_broker_that_stamps_by_its_own_clock(self, stand, name, stage, tags):
        shape = flow(name, tags=tags, sinks={SINK: (MIRROR,)}, window_ms=DAY_MS)
        parts = Parts(stand, name, shape, {stage: APPEND_TIME})
        scenario = parts.scenario()
        scenario.start()
        parts.mirror.start()
        parts.sink.start(die_after=300)
        producer = stand.producer(*parts.above)
        producer.produce(600)
        parts.wait_copied()
        assert parts.sink.wait_death() == -9
        scenario.checkpoint()
        parts.mirror.stop()
        parts.mirror.start()
        producer.produce(400)
        parts.wait_copied()
        start_again(parts.mirror)
        parts.sink.start()
        producer.finish()
        parts.wait_copied()
        wait_acted(parts.sink, *parts.below)
        assert parts.sink.stop() == 0

        truth = finish(scenario).truth
        assert (truth.layer("produce") > 10, truth.layer("consume") > 20) == (True, True)
        assert truth.layer("mirror") >= 390
