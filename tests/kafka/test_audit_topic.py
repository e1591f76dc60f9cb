"""Audit logs in topics on real Kafka: kills on both sides, repeats, transactions, topics created anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dupscope.app.check import CheckOptions, check
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import TopicSource
from dupscope.audit.topic import TopicLines
from dupscope.config.load import load
from dupscope.kafka.raw_tail import LOOK_AGAIN_SECONDS
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from support.audit_way import AuditWay, FileWay, TopicWay
from support.broker import Broker
from support.dump import end_offsets
from support.fault_case import FaultCase, Terms
from support.killing import kill
from support.oracle import SOURCE, Flow
from support.payments import PaymentProducer
from support.rig import Rig
from support.scenario import Log, Pipeline
from support.sink import SinkProcess, SinkSettings
from support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

SINK, PARTITIONS, STEP_SECONDS = "charger", 3, 90
COMMIT_EVERY = 200


@dataclass(frozen=True)
class ShippedWay:
    """A file, whose lines the test ships to a topic as an agent would."""

    file: FileWay
    topic: TopicWay

    def options(self) -> list[str]:
        return self.file.options()

    def section(self) -> dict[str, object]:
        return self.topic.section()

    def lines(self) -> int:
        return self.file.lines()


class Shipper:
    """Ships what a file has more, and now and then some lines once again: an agent that is killed often."""

    def __init__(self, way: ShippedWay, draw: random.Random) -> None:
        self.again = 0
        self._way = way
        self._draw = draw
        self._producer = Producer(
            {"bootstrap.servers": way.topic.bootstrap, "enable.idempotence": True, "log_level": 2}
        )
        self._shipped = 0

    def ship(self) -> None:
        """All that is there, some of it twice."""
        text = self._way.file.path.read_bytes() if self._way.file.path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        while self._shipped < len(whole):
            back = whole[: self._shipped].count(b"\n")
            if back and self._draw.random() < 0.5:
                lines = whole[: self._shipped].splitlines(keepends=True)
                again = lines[-self._draw.randint(1, min(back, 40)) :]
                self._shipped -= sum(map(len, again))
                self.again += len(again)
            for line in whole[self._shipped :].splitlines(keepends=True)[: self._draw.randint(41, 150)]:
                self._shipped += len(line)
                self._send(line.rstrip(b"\n"))
        assert self._producer.flush(STEP_SECONDS) == 0

    def _send(self, line: bytes) -> None:
        headers = {"dupscope-agent": b"1", "dupscope-file": b"f1", "dupscope-end": b"%d" % self._shipped}
        self._producer.produce(self._way.topic.topic, line, b"f1", headers=list(headers.items()))


class Story:
    """One source, one sink, the program in many runs."""

    def __init__(self, case: FaultCase, sink: SinkProcess, producer: PaymentProducer) -> None:
        self.case, self.sink, self.producer = case, sink, producer

    def play(self, draw: random.Random, meanwhile: Callable[[], None] = lambda: None) -> None:
        """The sink is killed between effect and commit, the program at any moment, again and again."""
        self.case.watch.start()
        for _ in range(4):
            self.sink.start(die_after=COMMIT_EVERY + draw.randint(20, COMMIT_EVERY - 20))
            self.producer.produce(3 * COMMIT_EVERY)
            kill(self.case, draw)
            meanwhile()
            assert self.sink.wait_death() == -9
            kill(self.case, draw)
        self.case.runs.start()
        self.producer.finish()
        self.sink.start()
        source = self.case.pipeline.logs[SOURCE]
        last = {number: end - 1 for number, end in end_offsets(source.bootstrap, source.topics[0]).items()}
        wait_until(lambda: self.sink.has_acted_on(last), STEP_SECONDS, "the sink has acted on all")
        assert self.sink.stop() == 0
        meanwhile()


@pytest.fixture
def story(rig: Rig, tmp_path: Path) -> Iterator[Callable[[str, AuditWay], Story]]:
    running = ExitStack()

    def make(topic: str, way: AuditWay) -> Story:
        rig.primary.create_topic(topic, PARTITIONS)
        settings = SinkSettings(
            rig.primary.bootstrap, "primary", topic, f"{SINK}-{topic}", commit_every=COMMIT_EVERY
        )
        sink = running.enter_context(closing(SinkProcess(settings, tmp_path / "sink", way)))
        flow = Flow(("payment_id",), {}, {SINK: (SOURCE,)}, {})
        logs = {SOURCE: Log("primary", rig.primary.bootstrap, (topic,))}
        stages = {SINK: {"group": f"{SINK}-{topic}"}}
        pipeline = Pipeline("payments", flow, logs, {SINK: sink}, stages=stages)
        terms = Terms("audit in a topic", "real", seen={"dr": rig.dr.bootstrap})
        case = running.enter_context(FaultCase(tmp_path, pipeline, terms))
        draw = random.Random(random.random())
        return Story(case, sink, PaymentProducer(rig.primary.bootstrap, topic, PARTITIONS, draw))

    with running:
        yield make


class TestKills:
    def test_reported_is_planted_where_the_sink_tells_a_topic(self, rig, story):
        rig.dr.create_topic("told-audit", PARTITIONS)
        played = story("told-payments", TopicWay("dr", rig.dr.bootstrap, "told-audit"))
        played.play(random.Random(random.random()))
        truth = played.case.settle().truth
        assert truth.layer("produce") == sum(played.producer.duplicates.values()) > 50
        assert truth.layer("consume") > 50

    def test_reported_is_planted_where_lines_are_shipped_more_than_once(self, rig, tmp_path, story):
        rig.dr.create_topic("resent-audit", PARTITIONS)
        topic = TopicWay("dr", rig.dr.bootstrap, "resent-audit")
        way = ShippedWay(FileWay(tmp_path / "audit.jsonl"), topic)
        draw = random.Random(random.random())
        shipper = Shipper(way, draw)
        played = story("resent-payments", way)
        played.play(draw, shipper.ship)
        truth = played.case.settle().truth
        assert shipper.again == topic.lines() - way.lines() > 50
        assert truth.layer("consume") > 50


class Reading:
    """A source of lines on a broker, without a loop."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.settings = ClusterSettings("a", {"bootstrap.servers": broker.bootstrap}, timeout_seconds=2.0)
        self.source = TopicLines(TopicSource(self.settings, TopicSelection({topic: topic})))
        self.invalid = Invalid()
        self.lines: list[bytes] = []
        self.complete_ms = 0

    def step(self) -> bool:
        read = self.source.read(1000, self.invalid)
        self.lines += read.lines
        self.complete_ms = read.held_ms or 0
        return True

    def until(self, enough: Callable[[Reading], object], what: str) -> None:
        wait_until(lambda: self.step() and enough(self), STEP_SECONDS, what, poll=0.01)

    def close(self) -> None:
        self.source.close()


def send(broker: Broker, topic: str, *lines: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for line in lines:
        producer.produce(topic, line, b"k", 0)
    assert producer.flush(30) == 0


class TestTransactions:
    def test_an_open_one_holds_lines_back_and_is_told(self, rig):
        rig.dr.create_topic("booked-audit", 1)
        producer = Producer({"bootstrap.servers": rig.dr.bootstrap, "transactional.id": "booked-audit"})
        producer.init_transactions(30)
        with closing(Reading(rig.dr, "booked-audit")) as reading:
            reading.until(lambda it: it.complete_ms, "the end is known")
            producer.begin_transaction()
            producer.produce("booked-audit", b"open")
            assert producer.flush(30) == 0
            send(rig.dr, "booked-audit", b"behind")
            reading.until(lambda it: it.source.problem(), "it is told")
            assert reading.source.problem() == (
                "topic booked-audit on a: an open transaction holds later lines back"
            )
            held, goal = reading.complete_ms, reading.source.goal()
            reading.until(lambda it: it.source.has_reached(goal), "a goal is what can be read")
            assert (reading.lines, reading.complete_ms) == ([], held)
            producer.commit_transaction(30)
            reading.until(lambda it: len(it.lines) == 2, "both lines")
            reading.until(lambda it: it.complete_ms > held and not it.source.problem(), "all is well")
            producer.begin_transaction()
            producer.produce("booked-audit", b"aborted")
            producer.abort_transaction(30)
            send(rig.dr, "booked-audit", b"last")
            reading.until(lambda it: len(it.lines) == 3, "what was not aborted")
            aborted = reading.complete_ms
            reading.until(lambda it: it.complete_ms > aborted, "a marker at the end hides nothing")
        assert reading.lines == [b"open", b"behind", b"last"]


class TestRecreated:
    def test_a_topic_that_is_created_again_is_read_anew_and_what_was_lost_is_counted(self, rig):
        rig.dr.create_topic("renewed-audit", 1)
        send(rig.dr, "renewed-audit", b"1", b"2")
        with closing(Reading(rig.dr, "renewed-audit")) as reading:
            reading.until(lambda it: len(it.lines) == 2, "the first lines")
            rig.dr.delete_topic("renewed-audit")
            rig.dr.create_topic("renewed-audit", 1)
            send(rig.dr, "renewed-audit", b"3")
            reading.until(lambda it: len(it.lines) == 3, "the line of the new topic")
        assert reading.lines == [b"1", b"2", b"3"]
        assert reading.invalid.counts == {"lost": 1}
        assert reading.invalid.places == {"lost": "renewed-audit[0] from offset 2 on: topic_recreated"}

    def test_what_retention_deletes_unread_is_counted_with_its_place(self, rig):
        rig.dr.create_topic("short-audit", 1)
        send(rig.dr, "short-audit", *[b"x"] * 3)
        with closing(Reading(rig.dr, "short-audit")) as reading:
            reading.until(lambda it: len(it.lines) == 3, "the first lines")
            saved = reading.source.saved()
        send(rig.dr, "short-audit", *[b"y"] * 5)
        rig.dr.delete_records("short-audit", {0: 7})
        with closing(Reading(rig.dr, "short-audit")) as reading:
            reading.source.resume(saved)
            reading.until(lambda it: it.lines, "what is left")
        assert reading.lines == [b"y"]
        assert reading.invalid.counts == {"lost": 1}
        assert reading.invalid.places["lost"].startswith("short-audit[0] offsets 3..6: ")

    def test_partitions_that_are_added_are_found(self, rig):
        rig.dr.create_topic("grown-audit", 1)
        with closing(Reading(rig.dr, "grown-audit")) as reading:
            reading.until(lambda it: it.complete_ms, "the end is known")
            rig.dr.add_partitions("grown-audit", 2)
            producer = Producer({"bootstrap.servers": rig.dr.bootstrap})
            producer.produce("grown-audit", b"x", partition=1)
            assert producer.flush(30) == 0
            reading.until(lambda it: it.lines, f"found, at the latest after {LOOK_AGAIN_SECONDS} s")


class TestCheck:
    def test_compaction_and_absence_are_told(self, rig, tmp_path):
        rig.primary.create_topic("checked-sales", 1)
        rig.dr.create_topic("compact-audit", 1, {"cleanup.policy": "compact"})
        send(rig.dr, "compact-audit", b'{"key": "p", "topic": "checked-sales", "partition": 0, "offset": 0}')
        file = tmp_path / "dupscope.yaml"
        file.write_text(f"""
clusters:
  primary: {{bootstrap.servers: "{rig.primary.bootstrap}"}}
  dr: {{bootstrap.servers: "{rig.dr.bootstrap}"}}
pipelines:
  p:
    key: {{json: [id]}}
    source: {{cluster: primary, topics: [checked-sales]}}
    sinks:
      kept: {{group: g, audit: {{kafka: {{cluster: dr, topics: [compact-audit]}}}}}}
      gone: {{group: h, audit: {{kafka: {{cluster: dr, topics: [absent-audit]}}}}}}
""")
        report = check(load(file, {}), CheckOptions(seconds=0.0))
        lines = [line for section in report.sections for line in section.lines]
        told = {where: [line.text for line in lines if line.where == where] for where in ("kept", "gone")}
        assert any("cleanup.policy=compact: compaction takes lines away" in text for text in told["kept"])
        assert "topic compact-audit on dr: 1 of the last 1 line can be used" in told["kept"]
        assert any("create it: dupscope creates no topic" in text for text in told["gone"])
