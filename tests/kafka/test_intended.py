"""Replays that somebody means, by a header or announced while the program runs, are nobody's duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.agreement import Ending, finish
from support.dump import Dumped
from support.dupscope_process import total
from support.mirrormaker import MirrorMaker, MirrorSettings
from support.oracle import SOURCE, Flow, Replay
from support.payments import Payment, now_ms
from support.replaying import assert_offline_tells_intent, declare
from support.rig import Rig, wait_copied
from support.scenario import Pipeline, Scenario
from support.sending import Headers, later, payments, send
from support.several import TimedSink, wait_acted_on_all
from support.sink import SinkSettings
from support.stand import PARTITIONS, STEP_SECONDS, log, start_again
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC, MIRRORED = "intended", "primary.intended"
MIRROR, SINK = "to-dr", "charger"
REDRIVE: Headers = [("x-redrive", b"1")]
BACK_MS = 240_000
"""How long ago the first payments were made: within the margin, so that they may come late."""

AGAIN_MS, BACKFILL_MS, AFTER_MS = 10_000, 60_000, 90_000
"""How much later than the first ones records are stamped that are sent again."""

HOUR_MS = 3_600_000
NEVER = 600


def redriven(record: Dumped) -> bool:
    """A source record that says so; a mirror that copies twice carries the mark along unasked."""
    return record.topic == TOPIC and any(name == "x-redrive" for name, _ in record.headers)


FLOW = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, {MIRRORED: TOPIC}, redriven=redriven)


class Parts:
    """A source topic, its mirror, a sink with times, and the program, which hears of replays."""

    def __init__(self, rig: Rig, folder: Path) -> None:
        self.rig = rig
        for broker, topic in ((rig.primary, TOPIC), (rig.dr, MIRRORED)):
            broker.create_topic(topic, PARTITIONS)
        settings = SinkSettings(rig.dr.bootstrap, "dr", MIRRORED, TOPIC, commit_every=100)
        self.sink = TimedSink(settings, folder / "sink")
        mirror = MirrorSettings(TOPIC, NEVER, label=TOPIC)
        self.mirror = MirrorMaker(rig.primary, rig.dr, mirror, folder / "mirror")
        logs = {SOURCE: log(rig.primary, TOPIC), MIRROR: log(rig.dr, MIRRORED)}
        marks = {"redrive": {"headers": ["x-redrive"]}}
        self.pipeline = Pipeline(TOPIC, FLOW, logs, {SINK: self.sink}, marks, {SINK: {"group": TOPIC}})
        self.declared: list[dict[str, object]] = []
        clusters = {one.cluster: {"bootstrap.servers": one.bootstrap} for one in logs.values()}
        self.scenario = Scenario(TOPIC, folder, clusters, [self.pipeline], {"replays": self.declared})

    def declare(self, *replays: Replay) -> None:
        declare(self.scenario, self.pipeline, self.declared, *replays)

    def send(self, what: list[Payment], headers: Headers | None = None) -> None:
        send(self.rig.primary, TOPIC, what, headers)

    def wait_copied(self) -> None:
        wait_copied((self.rig.primary, TOPIC), (self.rig.dr, MIRRORED))

    def wait_acted(self) -> None:
        wait_acted_on_all(self.sink, self.rig.dr, MIRRORED)

    def wait_intended(self) -> None:
        """Wait until as many intended ones are counted as there are, and note that no other is there."""
        truth = self.scenario.checkpoint().truth
        assert truth.duplicates.total() == 0
        wait_until(
            lambda: total(self.scenario.scraper.last, "intended_duplicates_total") == truth.intended.total(),
            STEP_SECONDS,
            "all intended ones are counted",
        )
        self.scenario.checkpoint()


@pytest.fixture
def parts(rig: Rig, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(rig, tmp_path)
    with closing(made.sink), closing(made.mirror), made.scenario:
        yield made


class TestIntended:
    @pytest.mark.timeout(240)
    def test_what_was_meant_is_counted_apart_and_the_rest_as_ever(self, parts):
        begin = now_ms() - BACK_MS
        backfill = Replay(SOURCE, begin + BACKFILL_MS + 50, begin + AFTER_MS + 300, "backfill")
        parts.scenario.start()
        parts.mirror.start()
        base = payments(0, 500, PARTITIONS, begin)
        parts.send(base)
        parts.send(later(base[:60], AGAIN_MS), REDRIVE)
        parts.send(payments(500, 20, PARTITIONS, begin), REDRIVE)
        parts.wait_copied()
        parts.wait_intended()

        drill = now_ms()
        parts.declare(backfill, Replay(SINK, drill, drill + HOUR_MS, "drill"))
        parts.send(later(base[50:170], BACKFILL_MS))
        parts.wait_copied()
        parts.sink.start(die_after=260)
        assert parts.sink.wait_death() == -9
        parts.sink.start()
        parts.wait_acted()
        parts.wait_intended()
        parts.declare(backfill, Replay(SINK, drill, now_ms(), "drill"))

        assert parts.sink.stop() == 0
        parts.sink.start(die_after=150)
        parts.send(later(base[200:260], AGAIN_MS))
        parts.send(later(base[300:330], AFTER_MS))
        parts.send(payments(1000, 200, PARTITIONS))
        assert parts.sink.wait_death() == -9
        parts.wait_copied()
        parts.scenario.checkpoint()
        parts.sink.start()
        start_again(parts.mirror)
        parts.send(payments(2000, 60, PARTITIONS))
        parts.wait_copied()
        parts.wait_acted()
        assert parts.sink.stop() == 0
        self.assert_told_apart(parts)

    def assert_told_apart(self, parts: Parts) -> None:
        last = finish(parts.scenario, Ending(offline=False))
        truth = last.truth
        drilled = truth.intended["consume", SINK, "drill"]
        assert drilled >= 60
        assert +truth.intended == {
            ("produce", SOURCE, "redrive"): 60,
            ("produce", SOURCE, "backfill"): 120,
            ("consume", SINK, "drill"): drilled,
        }
        copied_again = len(last.only.logs[SOURCE]) - 60
        assert (truth.layer("produce"), truth.layer("mirror")) == (60 + 30, copied_again)
        assert truth.layer("consume") >= 50
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])
        assert_offline_tells_intent(parts.scenario, last)
