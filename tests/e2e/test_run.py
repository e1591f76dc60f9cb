"""`dupscope run` as its users run it: the console command, two clusters, an audit file, its pages.

The clusters are mock ones, which have real sockets and protocol. A plain producer stands in for the mirror
and the test itself for the sink, so that what there is to find is known from lists of their own.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Consumer, TopicPartition

from support.dupscope_process import DupscopeProcess, Sample, named, series, total
from support.ledger_file import places, read
from support.mock import MockCluster
from support.oracle import Where
from support.waiting import wait_until

PARTITIONS = 3
TOPIC, MIRRORED = "payments", "primary.payments"
PLACES = {"source": TOPIC, "to-dr": MIRRORED, "charger": MIRRORED}
WAIT_SECONDS = 20
EXIT_SECONDS = 5
CANARY = "canary"
"""Part of every business key, payload and password here; of nothing that the program may show."""

FETCH, NOT_LEADER = 1, 6
"""Kafka's numbers of a kind of request and of an error."""

Record = tuple[int, bytes | None, bytes | None, int]
"""Partition, key, value, timestamp in ms: as the producer takes it, and as the log then has it."""


def payment(number: int, amount: int = 5) -> tuple[bytes, bytes]:
    value = {"payment_id": f"{CANARY}-{number}", "amount": amount, "note": f"{CANARY} payload"}
    return f"{CANARY}-{number % 50}".encode(), json.dumps(value).encode()


def payments(numbers: range) -> list[Record]:
    """One record each, in the order of their timestamps, all a while ago."""
    start = int(time.time() * 1000) - 60_000
    return [(number % PARTITIONS, *payment(number), start + number) for number in numbers]


class Scene:
    """Two clusters with a topic each, an audit file, and the program with its configuration."""

    def __init__(self, folder: Path, primary: MockCluster, dr: MockCluster) -> None:
        self.folder, self.primary, self.dr = folder, primary, dr
        self.audit = folder / "audit.jsonl"
        self._started: list[DupscopeProcess] = []
        for cluster, topic in ((primary, TOPIC), (dr, MIRRORED)):
            cluster.create_topic(topic, PARTITIONS)

    def configure(self, **more: object) -> Path:
        secret = self.folder / "password"
        secret.write_text(f"{CANARY}-password")
        document = {
            "clusters": {
                "primary": {
                    "bootstrap.servers": self.primary.bootstrap_servers,
                    "sasl.password": {"file": str(secret)},
                },
                "dr": {"bootstrap.servers": self.dr.bootstrap_servers},
            },
            "pipelines": {
                "payments": {
                    "key": {"json": ["payment_id"]},
                    "start": "earliest",
                    "source": {"cluster": "primary", "topics": [TOPIC]},
                    "mirrors": {"to-dr": {"cluster": "dr", "topics": [MIRRORED]}},
                    "sinks": {
                        "charger": {
                            "reads": ["to-dr"],
                            "group": "charger",
                            "audit": {"file": str(self.audit)},
                        }
                    },
                }
            },
            "state": {"path": str(self.folder / "state")},
            "web": {"listen": "127.0.0.1:0"},
            "log": {"findings_per_second": 0},
            **more,
        }
        file = self.folder / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    def start(self, *arguments: str, **more: object) -> DupscopeProcess:
        dupscope = DupscopeProcess(self.configure(**more), *arguments)
        self._started.append(dupscope)
        dupscope.start()
        return dupscope

    def mirrored(self, records: list[Record]) -> None:
        """What a faithful mirror does."""
        self.primary.produce(TOPIC, records)
        self.dr.produce(MIRRORED, records)

    def close(self) -> None:
        for dupscope in self._started:
            dupscope.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with MockCluster() as primary, MockCluster() as dr:
        made = Scene(tmp_path, primary, dr)
        yield made
        made.close()


def status(dupscope: DupscopeProcess, path: str) -> tuple[int, str]:
    try:
        return 200, dupscope.get(path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def is_ready(dupscope: DupscopeProcess) -> bool:
    return status(dupscope, "/-/ready")[0] == 200


def wait_ready(dupscope: DupscopeProcess) -> None:
    wait_until(lambda: is_ready(dupscope), WAIT_SECONDS, "ready")


def wait_sample(dupscope: DupscopeProcess, what: str, value: float, **labels: str) -> Sample:
    """The first exposition in which the sum over a metric's series is as expected."""

    def found() -> Sample | None:
        dupscope.process.assert_running()
        sample = dupscope.scrape()
        return sample if total(sample, what, **labels) == value else None

    return wait_until(found, WAIT_SECONDS, f"{what} {labels} is {value}")


def ends_in_time(dupscope: DupscopeProcess) -> None:
    began = time.monotonic()
    assert dupscope.process.stop() == 0, dupscope.process.tail()
    assert time.monotonic() - began < EXIT_SECONDS


class Story:
    """Every kind of duplicate, planted. Holds the lists that say what there is to find."""

    def __init__(self, scene: Scene) -> None:
        draw = random.Random(11)
        facts = payments(range(600))
        picked = draw.sample(range(600), 80)
        again, other_amount, absorbed, redone = picked[:10], picked[10:20], picked[20:30], picked[30:45]
        later = facts[-1][3] + 1000
        repeats: list[Record] = [(facts[n][0], *facts[n][1:3], later + n) for n in again]
        repeats += [(facts[n][0], *payment(n, amount=6), later + n) for n in other_amount]
        unkeyed: list[Record] = [(0, b"k", None, later), (1, b"k", b'{"amount": 1}', later)]
        self.source = facts + repeats + unkeyed
        window = [n for n in range(300, 420) if n % PARTITIONS == 1 and n not in picked]
        self.destination = self.source + [facts[n] for n in window]
        scene.primary.produce(TOPIC, self.source)
        scene.dr.produce(MIRRORED, self.destination)
        self.offsets = _offsets(self.destination)
        sources = _offsets(self.source)
        count = len(self.source)
        self.produce = [(s[0], sources[600 + n]) for n, s in enumerate(repeats)]
        self.mirror = [(s[0], self.offsets[count + n]) for n, s in enumerate(self.destination[count:])]
        self.consume = [(facts[n][0], self.offsets[n]) for n in redone]
        self.absorbed = set(self.mirror[: len(absorbed)])
        self._write_audit(scene)
        self._commit(scene)

    def findings(self) -> Counter[Where]:
        return Counter(
            Where(stage, PLACES[stage], partition, offset)
            for stage, found in (("source", self.produce), ("to-dr", self.mirror), ("charger", self.consume))
            for partition, offset in found
        )

    def counters(self) -> Sample:
        """The metrics that must have these values, and no other series that is not zero."""

        def duplicates(layer: str, stage: str, kind: str, count: float) -> Sample:
            labels = {"pipeline": "payments", "layer": layer, "stage": stage, "topic": TOPIC, "kind": kind}
            return {series("duplicates_total", **labels): count}

        def effects(origin: str, count: float) -> Sample:
            labels = {"pipeline": "payments", "stage": "charger", "origin": origin}
            return {series("duplicate_effects_total", **labels): count}

        extra_copies = series("sink_extra_copies_total", pipeline="payments", stage="charger")
        return {
            **duplicates("produce", "source", "identical", 10),
            **duplicates("produce", "source", "conflicting", 10),
            **duplicates("mirror", "to-dr", "identical", len(self.mirror)),
            **duplicates("consume", "charger", "identical", len(self.consume)),
            **effects("produce", 20),
            **effects("mirror", len(self.mirror) - len(self.absorbed)),
            **effects("consume", len(self.consume)),
            extra_copies: 20.0 + len(self.mirror),
        }

    def _write_audit(self, scene: Scene) -> None:
        acted_on = [
            (record, offset) for record, offset in zip(self.destination, self.offsets, strict=True)
            if record[1] != b"k" and (record[0], offset) not in self.absorbed
        ]  # fmt: skip
        by_place = {(record[0], offset): (record, offset) for record, offset in acted_on}
        acted_on += [by_place[place] for place in self.consume]
        lines = [_line(number, *one) for number, one in enumerate(acted_on)]
        self.lines = len(lines)
        scene.audit.write_text("".join(lines) + '{"torn line')

    def _commit(self, scene: Scene) -> None:
        ends = Counter(record[0] for record in self.destination)
        client = Consumer({"bootstrap.servers": scene.dr.bootstrap_servers, "group.id": "charger"})
        offsets = [TopicPartition(MIRRORED, partition, end) for partition, end in ends.items()]
        client.commit(offsets=offsets, asynchronous=False)
        client.close()


def _offsets(records: list[Record]) -> list[int]:
    """The offset of each record of a list that was appended to an empty topic."""
    seen: Counter[int] = Counter()
    offsets = []
    for partition, *_ in records:
        offsets.append(seen[partition])
        seen[partition] += 1
    return offsets


def _line(number: int, record: Record, offset: int) -> str:
    line = {
        "key": json.loads(record[2] or b"")["payment_id"],
        "cluster": "dr",
        "topic": MIRRORED,
        "partition": record[0],
        "offset": offset,
        "at": datetime.fromtimestamp(record[3] / 1000 + 1, UTC).isoformat(),
        "effect_id": f"{CANARY}-{number}",
        "outcome": "succeeded",
    }
    return json.dumps(line) + "\n"


class TestStory:
    def test_reported_is_planted(self, scene: Scene) -> None:
        """Findings, counters and ledger file are what the lists say: positions, layers, kinds, origins."""
        story = Story(scene)
        dupscope = scene.start("--ledger", str(scene.folder / "ledger.jsonl"))
        expected = story.counters()
        names = {name.removeprefix("dupscope_") for name, _ in expected}
        wait_ready(dupscope)
        sample = wait_until(
            lambda: (found := dupscope.scrape()) and named(found, *names) == expected and found,
            WAIT_SECONDS,
            "all counters have their values",
        )
        assert dupscope.findings() == story.findings()
        assert total(sample, "records_total", stage="source") == len(story.source)
        assert total(sample, "records_total", stage="to-dr") == len(story.destination)
        assert total(sample, "audit_lines_total") == story.lines
        assert total(sample, "unkeyed_records_total", stage="source", reason="null_key") == 1
        assert total(sample, "unkeyed_records_total", stage="source", reason="missing_path") == 1
        silent = ("suspects", "unverified_total", "missing_total", "audit_invalid_lines_total")
        assert named(sample, *silent, "ledger_unbalanced_cases", "tail_errors_total") == {}
        shown = dupscope.get("/metrics") + dupscope.get("/")
        ends_in_time(dupscope)
        assert CANARY not in shown
        assert CANARY not in dupscope.errors.read_text()
        self.check_ledger(scene.folder / "ledger.jsonl", story)

    def check_ledger(self, file: Path, story: Story) -> None:
        assert CANARY not in file.read_text()
        cases = read(file)
        assert places(cases, PLACES) == story.findings()
        for case in cases:
            for part in case["sinks"].values():
                made = part["produce"] + part["mirror"] - part["missing"] - part["absorbed"] + part["consume"]
                assert len(part["effects"]) - 1 == part["extra_effects"] == made, case
                assert sum(part["origins"].values()) == made, case
                assert part["balanced"] is True

    def test_until_caught_up(self, scene: Scene) -> None:
        """With --until-caught-up it ends by itself, with the same findings, ledger file and exit code 0."""
        story = Story(scene)
        dupscope = scene.start("--until-caught-up", "--ledger", str(scene.folder / "ledger.jsonl"))
        assert dupscope.process.wait_exit(WAIT_SECONDS) == 0, dupscope.process.tail()
        assert dupscope.findings() == story.findings()
        self.check_ledger(scene.folder / "ledger.jsonl", story)


class TestDestinationFirst:
    def test_read_before_its_source(self, scene: Scene) -> None:
        """What the mirror has and the source's tail has not read is suspect, and in the end no duplicate."""
        scene.mirrored(payments(range(30)))
        dupscope = scene.start()
        wait_ready(dupscope)
        scene.primary.fail(FETCH, *[NOT_LEADER] * 1000)
        scene.mirrored(payments(range(30, 90)))
        sample = wait_sample(dupscope, "suspects", 60, stage="to-dr")
        assert total(sample, "oldest_suspect_timestamp_seconds", stage="to-dr") > 0
        scene.primary.heal(FETCH)
        sample = wait_sample(dupscope, "records_total", 90, stage="source")
        sample = wait_sample(dupscope, "suspects", 0, stage="to-dr")
        assert named(sample, "duplicates_total", "unverified_total", "ledger_unbalanced_cases") == {}
        scene.dr.produce(MIRRORED, payments(range(30, 40)))
        wait_sample(dupscope, "duplicates_total", 10, stage="to-dr")
        ends_in_time(dupscope)


class TestReadiness:
    def test_brokers_away_at_start(self, scene: Scene) -> None:
        """Without brokers it lives, says what it waits for, and gets ready once they are there."""
        scene.mirrored(payments(range(30)))
        scene.audit.touch()
        scene.primary.stop()
        scene.dr.stop()
        dupscope = scene.start()
        wait_until(
            lambda: "cannot read payments: source, payments: to-dr" in status(dupscope, "/-/ready")[1],
            WAIT_SECONDS,
            "it says what it waits for",
        )
        assert status(dupscope, "/-/healthy")[0] == 200
        assert status(dupscope, "/-/ready")[0] == 503
        assert total(dupscope.scrape(), "tail_up") == 0
        scene.primary.resume()
        scene.dr.resume()
        wait_ready(dupscope)
        sample = wait_sample(dupscope, "tail_up", 2)
        assert total(sample, "records_total") == 60
        for event in ("cannot_read", "can_read"):
            assert sorted(str(line["stage"]) for line in dupscope.lines(event)) == ["source", "to-dr"]
        ends_in_time(dupscope)

    def test_catching_up(self, scene: Scene) -> None:
        """Not ready before it has read what was there at the start; asked to end, it ends at once."""
        scene.mirrored(payments(range(3000)))
        dupscope = scene.start(limits={"fetch_rate": 100})
        wait_until(
            lambda: total(dupscope.scrape(), "records_total", stage="source") > 0, WAIT_SECONDS, "it reads"
        )
        code, reason = status(dupscope, "/-/ready")
        assert (code, "catching up" in reason) == (503, True)
        assert total(dupscope.scrape(), "tail_lag_records", stage="source") > 0
        ends_in_time(dupscope)


class TestBrokersAway:
    def test_comes_back(self, scene: Scene) -> None:
        """A broker that goes away is a tail that is down, not a crash; later nothing is lost or false."""
        scene.mirrored(payments(range(30)))
        dupscope = scene.start()
        wait_ready(dupscope)
        scene.primary.stop()
        sample = wait_sample(dupscope, "tail_up", 0, stage="source")
        assert total(sample, "tail_errors_total", stage="source") > 0
        assert status(dupscope, "/-/healthy")[0] == 200
        assert is_ready(dupscope)
        scene.dr.produce(MIRRORED, payments(range(10)))
        wait_sample(dupscope, "suspects", 10, stage="to-dr")
        assert named(dupscope.scrape(), "duplicates_total") == {}
        scene.primary.resume()
        scene.mirrored(payments(range(30, 60)))
        wait_sample(dupscope, "records_total", 60, stage="source")
        sample = wait_sample(dupscope, "duplicates_total", 10, stage="to-dr")
        assert total(sample, "unverified_total") == 0
        wait_sample(dupscope, "tail_up", 2)
        wait_sample(dupscope, "tail_lag_records", 0)
        ends_in_time(dupscope)

    def test_ends_without_brokers(self, scene: Scene) -> None:
        """It ends in time while no broker answers, though a suspect waits for them."""
        scene.mirrored(payments(range(30)))
        dupscope = scene.start()
        wait_ready(dupscope)
        scene.primary.stop()
        scene.dr.produce(MIRRORED, payments(range(5)))
        wait_sample(dupscope, "suspects", 5, stage="to-dr")
        scene.dr.stop()
        wait_sample(dupscope, "tail_up", 0)
        ends_in_time(dupscope)

    def test_ends_before_it_could_open(self, scene: Scene) -> None:
        """It ends in time while it tries to reach its brokers for the first time."""
        scene.primary.stop()
        scene.dr.stop()
        dupscope = scene.start()
        assert dupscope.url
        ends_in_time(dupscope)
