"""Where reading may begin, under mirror lag, with duplicates on both sides of the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from support.agreement import Ending, finish
from support.dump import Dumped, dump, end_offsets
from support.dupscope_process import series
from support.mirrormaker import MirrorSettings
from support.oracle import SOURCE, Flow
from support.partly import Offsets, Partly
from support.payments import now_ms
from support.rig import wait_copied
from support.scenario import Pipeline, Scenario
from support.sending import later, payments, send
from support.stand import PARTITIONS, Stand, log, start_again
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

MIRROR = "to-dr"
FLOW = Flow(("payment_id",), {MIRROR: SOURCE}, {}, {"primary.fresh": "fresh"})
MINUTE_MS = 60_000
MARGIN_MS = MINUTE_MS
OLD, RECENT, BEHIND, LIVE, LAST = (
    range(300),
    range(300, 600),
    range(600, 900),
    range(900, 1200),
    range(1200, 1230),
)


def since(records: list[Dumped], timestamp: int) -> Offsets:
    """By partition: the first offset of a record that is not older."""
    found = {one.partition: one.offset + 1 for one in sorted(records)}
    for record in sorted(records, key=lambda one: -one.offset):
        if record.timestamp >= timestamp:
            found[record.partition] = record.offset
    return found


@dataclass
class Past:
    """What lies in the logs when the program starts for the first time; the mirror is down."""

    stand: Stand
    now: int

    @property
    def source(self) -> list[Dumped]:
        return dump(self.stand.rig.primary.bootstrap, "fresh")

    @property
    def mirrored(self) -> list[Dumped]:
        return dump(self.stand.rig.dr.bootstrap, "primary.fresh")

    def pipeline(self, start: str, begun: Mapping[str, Offsets], covered: Callable[[int], bool]) -> Pipeline:
        rig = self.stand.rig
        logs = {SOURCE: log(rig.primary, "fresh"), MIRROR: log(rig.dr, "primary.fresh")}
        settings: dict[str, object] = {"start": start, "margin": "1m"}
        return Partly("fresh", FLOW, logs, {}, settings, begun=begun, covered=covered)

    def pipelines(self) -> dict[str, Pipeline]:
        """By their start. What is read upstream begins a margin before what is read downstream."""
        hour_ago = self.now - 60 * MINUTE_MS
        by_hour = {SOURCE: since(self.source, hour_ago - MARGIN_MS), MIRROR: since(self.mirrored, hour_ago)}
        by_now = {
            SOURCE: since(self.source, self.now - MARGIN_MS),
            MIRROR: end_offsets(self.stand.rig.dr.bootstrap, "primary.fresh"),
        }
        return {
            "earliest": self.pipeline("earliest", {}, lambda _: True),
            "1h": self.pipeline("1h", by_hour, lambda payment: payment not in OLD),
            "latest": self.pipeline("latest", by_now, lambda payment: payment in LIVE or payment in LAST),
        }


def unverified(**reasons: int) -> Ending:
    labels = {"pipeline": "fresh", "layer": "mirror", "stage": MIRROR}
    extra = {series("unverified_total", **labels, reason=reason): n for reason, n in reasons.items()}
    return Ending(extra, offline=False)


ENDINGS = {
    "earliest": Ending(),
    # 100 payments made again within the hour: the mirror copied both again, the first from before the start.
    # The other 200 old ones came again with nothing upstream, and would begin cases in the past.
    "1h": unverified(before_coverage=200, expired=200),
    # 50 recent payments made again: the copy of the first is from before the start. All else that the mirror
    # brought from before the start has nothing upstream.
    "latest": unverified(before_coverage=50, expired=300 + 250 + 100 + 300),
}


class TestFreshStart:
    @pytest.mark.timeout(240)
    def test_nothing_false_and_what_straddles_the_start_is_unverified(self, rig, stand, tmp_path):
        places = (rig.primary, "fresh"), (rig.dr, "primary.fresh")
        for broker, topic in places:
            broker.create_topic(topic, PARTITIONS)
        mirror = stand.mirror(rig.primary, rig.dr, MirrorSettings("fresh", 600, label="fresh"))
        now = now_ms()
        old = payments(OLD.start, len(OLD), PARTITIONS, now - 120 * MINUTE_MS)
        recent = payments(RECENT.start, len(RECENT), PARTITIONS, now - 55 * MINUTE_MS)
        mirror.start()
        send(*places[0], [*old, *recent, *later(old[:100], 70 * MINUTE_MS)])
        wait_copied(*places)
        mirror.kill()
        send(*places[0], payments(BEHIND.start, len(BEHIND), PARTITIONS, now - 40 * MINUTE_MS))

        with ExitStack() as running:
            scenarios = self.start_all(Past(stand, now), running)
            send(*places[0], later(recent[:50], 55 * MINUTE_MS + now_ms() - now))
            mirror.start()
            wait_copied(*places)
            mirror.stop()
            mirror.start()
            send(*places[0], payments(LIVE.start, len(LIVE), PARTITIONS))
            wait_copied(*places)
            start_again(mirror)
            send(*places[0], payments(LAST.start, len(LAST), PARTITIONS))
            wait_copied(*places)
            mirror.stop()
            found = {start: finish(one, ENDINGS[start]).truth for start, one in scenarios.items()}

        assert {start: truth.layer("mirror") for start, truth in found.items()} == {
            "earliest": 1000,
            "1h": 600,
            "latest": 300,
        }
        assert [found[start].layer("produce") for start in ("earliest", "1h", "latest")] == [150, 50, 0]

    def start_all(self, past: Past, running: ExitStack) -> dict[str, Scenario]:
        """One program for each start, all at work and caught up."""
        scenarios = {}
        for start, pipeline in past.pipelines().items():
            folder = past.stand.folder / start
            clusters = {one.cluster: {"bootstrap.servers": one.bootstrap} for one in pipeline.logs.values()}
            scenario = running.enter_context(Scenario(f"start {start}", folder, clusters, [pipeline]))
            scenario.start()
            scenarios[start] = scenario
        for scenario in scenarios.values():
            wait_until(lambda one=scenario: one.dupscope.lines("ready"), 30, "it is ready")
        return scenarios
