"""The main job on real clusters: what the program reports equals what lists that it had no hand in say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from support.dump import Dumped, dump, end_offsets
from support.dupscope_process import DupscopeProcess, Sample, Scraper, Series, named, series, total
from support.ledger_file import expected_terms, places, read, terms
from support.mirrormaker import MirrorMaker
from support.oracle import SOURCE, Flow, Truth, Where, judge
from support.payments import PaymentProducer
from support.rig import Rig, wait_mirrored
from support.sink import SinkProcess, SinkSettings
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC, MIRRORED = "payments", "primary.payments"
PARTITIONS = 4
RECORDS = 20_000
COMMIT_EVERY = 500
MIRROR, SINK = "to-dr", "charger"
FLOW = Flow(("payment_id",), {MIRROR: SOURCE}, {SINK: (MIRROR,)}, {MIRRORED: TOPIC})
PLACES = {SOURCE: TOPIC, MIRROR: MIRRORED, SINK: MIRRORED}
SETTLE_SECONDS = 60
EXACT = (
    "records_total",
    "unkeyed_records_total",
    "duplicates_total",
    "intended_duplicates_total",
    "duplicate_effects_total",
    "sink_extra_copies_total",
    "missing_total",
    "recovered_total",
    "unverified_total",
    "suspects",
    "ledger_unbalanced_cases",
    "coverage_holes_total",
    "audit_lines_total",
    "audit_invalid_lines_total",
    "findings_dropped_total",
)
"""Metrics that must have exactly the values that the lists give, and no others that are not zero."""


def configuration(rig: Rig, audit: Path, state: Path) -> dict[str, object]:
    return {
        "clusters": {
            "primary": {"bootstrap.servers": rig.primary.bootstrap},
            "dr": {"bootstrap.servers": rig.dr.bootstrap},
        },
        "pipelines": {
            "payments": {
                "key": {"json": ["payment_id"]},
                "window": "24h",
                "start": "earliest",
                "source": {"cluster": "primary", "topics": [TOPIC]},
                "mirrors": {MIRROR: {"cluster": "dr", "topics": [MIRRORED], "tool": "mirrormaker2"}},
                "sinks": {SINK: {"reads": [MIRROR], "group": SINK, "audit": {"file": str(audit)}}},
            }
        },
        "state": {"path": str(state)},
        "web": {"listen": "127.0.0.1:0"},
        "log": {"findings_per_second": 100_000},
    }


def write_configuration(rig: Rig, folder: Path, audit: Path) -> Path:
    folder.mkdir()
    path = folder / "dupscope.yaml"
    path.write_text(yaml.safe_dump(configuration(rig, audit, folder / "state")))
    return path


@dataclass
class Lists:
    """What lies in the logs and in the sink's own list at one moment, and the truth about it."""

    source: list[Dumped]
    mirror: list[Dumped]
    charges: int
    audit_lines: int
    truth: Truth


@dataclass
class Story:
    """The scenario as it is being played."""

    rig: Rig
    producer: PaymentProducer
    mirror: MirrorMaker
    sink: SinkProcess
    dupscope: DupscopeProcess
    scraper: Scraper
    checkpoints: list[tuple[int, Lists]] = field(default_factory=list)
    """The lists as they were after so many scrapes."""

    def lists(self) -> Lists:
        """Most downstream first: whatever acted on, or copied, something finds it in the lists above."""
        effects = self.sink.effects(MIRROR)
        mirror = dump(self.rig.dr.bootstrap, MIRRORED)
        source = dump(self.rig.primary.bootstrap, TOPIC)
        truth = judge(FLOW, {SOURCE: source, MIRROR: mirror}, {SINK: effects})
        return Lists(source, mirror, len(effects), count_lines(self.sink.audit), truth)

    def checkpoint(self) -> Lists:
        """Note the lists: no scrape until now may have shown a duplicate that is not in them."""
        scrapes = len(self.scraper.samples)
        self.checkpoints.append((scrapes, self.lists()))
        return self.checkpoints[-1][1]

    def produce(self, count: int, slices: int = 1) -> None:
        for _ in range(slices):
            self.producer.produce(count // slices)

    def mirrored_records(self) -> int:
        return sum(end_offsets(self.rig.dr.bootstrap, MIRRORED).values())

    def wait_more_mirrored(self, count: int) -> None:
        goal = self.mirrored_records() + count
        wait_until(
            lambda: self.mirrored_records() >= goal, 60, f"{count} more records are mirrored", poll=0.02
        )


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


@pytest.fixture
def story(rig: Rig, tmp_path: Path) -> Iterator[Story]:
    for broker, topic in ((rig.primary, TOPIC), (rig.dr, MIRRORED)):
        broker.create_topic(topic, PARTITIONS)
    with ExitStack() as running:
        settings = SinkSettings(rig.dr.bootstrap, "dr", MIRRORED, SINK, commit_every=COMMIT_EVERY)
        sink = running.enter_context(closing(SinkProcess(settings, tmp_path / "sink")))
        config = write_configuration(rig, tmp_path / "live", sink.audit)
        dupscope = running.enter_context(closing(DupscopeProcess(config)))
        dupscope.start()
        scraper = Scraper(dupscope, EXACT)
        running.callback(scraper.stop)
        scraper.start()
        producer = PaymentProducer(rig.primary.bootstrap, TOPIC, PARTITIONS, random.Random(random.random()))
        mirror = running.enter_context(closing(rig.mirror(TOPIC, flush_seconds=600)))
        yield Story(rig, producer, mirror, sink, dupscope, scraper)


def play(story: Story) -> Lists:
    """Clean traffic, a mirror killed twice, a sink killed twice; the lists when all has come to rest."""
    story.sink.start(die_after=6 * COMMIT_EVERY + 211)
    story.produce(4_000, slices=8)
    wait_mirrored(story.rig, TOPIC)
    story.mirror.stop()
    story.checkpoint()
    story.mirror.start()
    kill_mirror(story, 5_000)
    kill_mirror(story, 7_000)
    restart_killed_sink(story, die_after=8 * COMMIT_EVERY + 87)
    story.produce(RECORDS - PARTITIONS - story.producer.total, slices=4)
    story.producer.finish()
    restart_killed_sink(story, die_after=0)
    wait_mirrored(story.rig, TOPIC)
    ends = end_offsets(story.rig.dr.bootstrap, MIRRORED)
    wait_until(
        lambda: story.sink.has_acted_on({number: end - 1 for number, end in ends.items()}), 60, "sink done"
    )
    assert story.sink.stop() == 0
    return story.checkpoint()


def kill_mirror(story: Story, records: int) -> None:
    """Kill the mirror while it copies, with nothing flushed since its start; start it again."""
    story.produce(records // 2, slices=4)
    wait_mirrored(story.rig, TOPIC)
    copied = story.mirrored_records()
    with ThreadPoolExecutor(1) as beside:
        producing = beside.submit(story.produce, records - records // 2, slices=10)
        wait_until(lambda: story.mirrored_records() > copied, 60, "the mirror is copying", poll=0.02)
        story.mirror.kill()
        producing.result()
    story.checkpoint()
    story.mirror.start()


def restart_killed_sink(story: Story, die_after: int) -> None:
    assert story.sink.wait_death() == -9
    story.checkpoint()
    story.sink.start(die_after)


def expected_metrics(lists: Lists) -> dict[Series, float]:
    """Every series that is not zero, of the metrics in EXACT."""
    truth, labels = lists.truth, {"pipeline": "payments"}
    values: dict[Series, float] = {
        series("records_total", **labels, stage=SOURCE, topic=TOPIC): len(lists.source),
        series("records_total", **labels, stage=MIRROR, topic=TOPIC): len(lists.mirror),
        series("audit_lines_total", **labels, stage=SINK): lists.audit_lines,
        series("sink_extra_copies_total", **labels, stage=SINK): truth.extra_copies[SINK],
    }
    for (layer, stage, topic, kind), count in truth.duplicates.items():
        values[series("duplicates_total", **labels, layer=layer, stage=stage, topic=topic, kind=kind)] = count
    for (stage, origin), count in truth.effects.items():
        values[series("duplicate_effects_total", **labels, stage=stage, origin=origin)] = count
    return {name: value for name, value in values.items() if value}


def without_reasons(sample: Sample) -> dict[Series, float]:
    """A sample's series of EXACT that are not zero; those of records without a key are compared apart."""
    return named(sample, *(name for name in EXACT if name != "unkeyed_records_total"))


def differences(expected: dict[Series, float], shown: dict[Series, float]) -> dict[str, tuple[float, float]]:
    """Series by their text: (expected, shown) where they differ."""
    return {
        f"{name}{dict(sorted(labels))}": (expected.get((name, labels), 0), shown.get((name, labels), 0))
        for name, labels in expected.keys() | shown.keys()
        if expected.get((name, labels), 0) != shown.get((name, labels), 0)
    }


def assert_settles(story: Story, expected: dict[Series, float]) -> None:
    """Its numbers become the expected ones, and stay so while it goes on."""
    try:
        wait_until(
            lambda: without_reasons(story.scraper.last) == expected, SETTLE_SECONDS, "numbers are equal"
        )
    except AssertionError:
        assert differences(expected, without_reasons(story.scraper.last)) == {}
        raise
    story.scraper.more(30)
    assert differences(expected, without_reasons(story.scraper.last)) == {}


def assert_never_ahead(story: Story) -> None:
    """No scrape showed more duplicates than there were in the lists taken after it; no counter ever fell."""
    begin = 0
    for end, lists in story.checkpoints:
        assert end > begin, "nothing was scraped between two looks at the lists"
        allowed = expected_metrics(lists)
        for sample in story.scraper.samples[begin:end]:
            shown = named(
                sample, "duplicates_total", "duplicate_effects_total", "missing_total", "unverified_total"
            )
            assert {name: value for name, value in shown.items() if value > allowed.get(name, 0)} == {}
        begin = end
    for earlier, later in zip(story.scraper.samples, story.scraper.samples[1:], strict=False):
        fallen = {
            name for name, value in earlier.items() if "_total" in name[0] and later.get(name, 0) < value
        }
        assert fallen == set()


def assert_offline_agrees(story: Story, folder: Path, lists: Lists) -> None:
    """A second run over the finished lists, with no state of the first, writes the same duplicates."""
    config = write_configuration(story.rig, folder, story.sink.audit)
    ledger = folder / "ledger.jsonl"
    second = DupscopeProcess(config, "--until-caught-up", "--ledger", str(ledger), name="second")
    with closing(second):
        second.start()
        assert second.process.wait_exit(60) == 0, second.process.tail()
    assert difference(lists.truth.extras, second.findings()) == {}
    cases = read(ledger)
    assert difference(lists.truth.extras, places(cases, PLACES)) == {}
    assert terms(cases, SINK) == expected_terms(lists.truth, MIRROR, SINK)


def difference(expected: Counter[Where], found: Counter[Where]) -> dict[Where, tuple[int, int]]:
    """(expected, found) of the places where they differ."""
    places = expected.keys() | found.keys()
    return {where: (expected[where], found[where]) for where in places if expected[where] != found[where]}


class TestFirstScenario:
    @pytest.mark.timeout(240)
    def test_reported_duplicates_are_the_true_ones_at_every_scrape_and_at_the_end(self, story, tmp_path):
        lists = play(story)
        truth = lists.truth
        assert len(lists.source) == RECORDS
        assert truth.layer("produce") == sum(story.producer.duplicates.values()) > 300
        keyless_again = truth.unkeyed[MIRROR] - truth.unkeyed[SOURCE]
        assert truth.layer("mirror") == len(lists.mirror) - RECORDS - keyless_again > 1000
        assert truth.layer("consume") > 200
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])

        assert_settles(story, expected_metrics(lists))
        for stage in (SOURCE, MIRROR):
            assert total(story.scraper.last, "unkeyed_records_total", stage=stage) == truth.unkeyed[stage]
        assert difference(truth.extras, story.dupscope.findings()) == {}
        story.scraper.stop()
        assert_never_ahead(story)
        assert story.scraper.failed == []
        assert story.dupscope.process.stop(timeout=5) == 0

        assert_offline_agrees(story, tmp_path / "second", lists)
