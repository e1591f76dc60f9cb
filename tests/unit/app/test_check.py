from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from dupscope.app.check import CheckOptions, check, check_file
from dupscope.app.check_report import Level
from dupscope.app.cli import invoke
from dupscope.config.load import load
from support.mock import MockCluster

BROKEN = sorted((Path(__file__).parents[1] / "config" / "testdata").glob("*.yaml"))
MIRRORED = (
    "p: {{key: {{json: [id]}}, source: {{cluster: primary, topics: [payments]}}, "
    "mirrors: {{to-dr: {{cluster: dr, topics: [{}]}}}}}}"
)
QUICK = CheckOptions(seconds=0.0, sample=500)


@pytest.fixture(scope="module")
def primary():
    now = int(time.time() * 1000)
    with MockCluster() as cluster:
        cluster.create_topic("payments", 2)
        cluster.produce("payments", [(n % 2, b"k", _json(id=n), now - 100_000 + n * 500) for n in range(200)])
        cluster.create_topic("orders", 1)
        cluster.produce(
            "orders", [(0, b"k", _json(id=n, type=t)) for n in range(50) for t in ("new", "paid")]
        )
        cluster.create_topic("text", 1)
        cluster.produce("text", [(0, b"k", b"no json")] * 10)
        cluster.create_topic("quiet", 1)
        yield cluster


@pytest.fixture(scope="module")
def dr():
    with MockCluster() as cluster:
        cluster.create_topic("primary.payments", 2)
        cluster.produce("primary.payments", [(n % 2, b"k", _json(id=n)) for n in range(20)])
        yield cluster


def _json(**fields):
    return json.dumps(fields).encode()


@pytest.fixture
def write(tmp_path, primary, dr):
    def write(pipelines, clusters="", more=""):
        file = tmp_path / "dupscope.yaml"
        file.write_text(
            f"clusters:\n"
            f"  primary: {{bootstrap.servers: '{primary.bootstrap_servers}'}}\n"
            f"  dr: {{bootstrap.servers: '{dr.bootstrap_servers}'}}\n"
            f"{clusters}pipelines: {{{pipelines}}}\n{more}"
        )
        return file

    return write


def _lines(report, level):
    lines = [line for section in report.sections for line in section.lines]
    return [(line.where, line.text) for line in lines if line.level is level]


class TestBrokenConfigurations:
    """Each file of testdata says in its `#!` lines what is wrong with it."""

    @pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
    def test_check_says_what_is_wrong_and_where(self, file, capsys):
        expected = [line[3:] for line in file.read_text().splitlines() if line.startswith("#!")]

        assert invoke(["check", "-c", str(file)]) == 2

        said = capsys.readouterr().err.splitlines()
        assert sorted(said) == sorted(
            f"{file}: {line.replace('TESTDATA', str(file.parent))}" for line in expected
        )

    def test_in_json_they_are_a_list_on_standard_output(self, capsys):
        assert invoke(["check", "--json", "-c", str(BROKEN[0])]) == 2

        said = json.loads(capsys.readouterr().out)
        assert said["ok"] is False
        assert said["problems"]


class TestOffline:
    def test_connects_to_nothing_and_says_what_the_file_means(self, tmp_path, capsys):
        file = tmp_path / "f.yaml"
        file.write_text(
            "clusters: {a: {bootstrap.servers: 'nowhere:1'}}\n"
            "pipelines: {p: {key: kafka_key, source: {cluster: a, topics: [t]}, sinks: {s: {}}}}\n"
        )

        assert check_file(file, {}, CheckOptions(offline=True)) == 0

        assert capsys.readouterr().out == (
            "clusters\n"
            "  a       ok       properties are accepted; not connected\n"
            "\n"
            "pipeline p\n"
            "  source  ok       t on cluster a\n"
            "  s       ok       reads source; no audit log\n"
            "  key     ok       the Kafka key\n"
            "\n"
            f"{file}: all is well\n"
        )

    def test_a_property_that_the_client_does_not_know_is_a_problem(self, write):
        file = write(
            "p: {key: kafka_key, source: {cluster: primary, topics: [payments]}}",
            "  odd: {bootstrap.servers: x, sasl.pasword: hush}\n",
        )

        report = check(load(file, {}), CheckOptions(offline=True))

        ((where, text),) = _lines(report, Level.PROBLEM)
        assert where == "odd"
        assert "sasl.pasword" in text
        assert "hush" not in text


class TestOnline:
    def test_a_good_configuration_is_well(self, write):
        report = check(load(write(MIRRORED.format("primary.payments")), {}), QUICK)

        assert _lines(report, Level.PROBLEM) == []
        assert _lines(report, Level.WARNING) == []
        assert ("source", "payments: 2 partitions, 2.0 records/s, read 200 records") in _lines(
            report, Level.OK
        )
        assert ("p", "2.0 records/s: 24 h need 12 MB of 1 GiB") in _lines(report, Level.OK)

    def test_a_topic_that_is_not_there_is_a_problem_and_the_others_are_still_looked_at(self, write, dr):
        report = check(load(write(MIRRORED.format("x.payments, primary.payments")), {}), QUICK)

        where = f"at {dr.bootstrap_servers}, or hidden from these credentials: fix name or ACL"
        assert _lines(report, Level.PROBLEM) == [("to-dr", f"x.payments: no such topic {where}")]
        assert any("primary.payments: 2 partitions" in text for _, text in _lines(report, Level.OK))

    def test_a_key_that_is_too_coarse_is_told_with_the_path_to_add(self, write):
        file = write("p: {key: {json: [id]}, source: {cluster: primary, topics: [orders]}}")

        report = check(load(file, {}), QUICK)

        warning = "orders: 50% repeat with another payload: the key may be too coarse; add type"
        assert ("source", warning) in _lines(report, Level.WARNING)

    def test_a_topic_without_any_usable_key_is_a_problem_and_one_without_records_is_not(self, write):
        file = write("p: {key: {json: [id]}, source: {cluster: primary, topics: [text, quiet]}}")

        report = check(load(file, {}), QUICK)

        assert _lines(report, Level.PROBLEM) == [
            ("source", "text: 100% of the sample have no usable business key: the value is no JSON")
        ]
        assert any("quiet: 1 partition, is empty" in text for _, text in _lines(report, Level.NOTE))

    def test_a_limit_that_does_not_cover_the_window_says_what_it_covers(self, write):
        file = write(
            "p: {key: {json: [id]}, source: {cluster: primary, topics: [payments]}}",
            more="limits: {memory: 1MiB}",
        )

        ((where, text),) = _lines(check(load(file, {}), QUICK), Level.WARNING)

        assert where == "p"
        assert text.startswith("2.0 records/s: 24 h need 10 MB; limit 1 MiB covers 2 h 32 min")

    def test_brokers_that_do_not_answer_are_named_by_their_address(self, write, capsys):
        file = write(
            "p: {key: kafka_key, source: {cluster: gone, topics: [payments]}}",
            "  gone: {bootstrap.servers: '127.0.0.1:1'}\n",
        )

        assert check_file(file, {}, QUICK) == 1

        said = capsys.readouterr().out
        assert "no broker answers at 127.0.0.1:1: check address, network and credentials" in said
        assert "payments: not looked at, cluster gone is away" in said
        assert f"{file}: 2 problems, 0 warnings" in said

    def test_json_holds_every_line(self, write, capsys):
        file = write("p: {key: {json: [id]}, source: {cluster: primary, topics: [orders]}}")

        assert invoke(["check", "-c", str(file), "--json", "--seconds", "0"]) == 0

        said = json.loads(capsys.readouterr().out)
        assert (said["ok"], said["problems"], said["warnings"]) == (True, 0, 1)
        assert {"level": "warning", "where": "source"}.items() <= said["sections"][1]["lines"][1].items()


class TestSeveralSources:
    PIPELINE = (
        "p: {key: {json: [id]}, source: [{cluster: primary, topics: ['^pay.*']}, "
        "{cluster: dr, topics: ['^orders-.*']}], "
        "mirrors: {to-dr: {cluster: dr, topics: ['^primary[.].*'], from: source@primary}}, "
        "redrive: {headers: [x-redrive]}}"
    )
    REPLAY = "{pipeline: p, stage: to-dr, from: 2026-11-23T10:00:00Z, to: 2026-11-23T11:00:00Z}"

    def test_topics_of_patterns_are_discovered_and_each_source_is_named_by_its_cluster(self, write):
        report = check(load(write(self.PIPELINE, more=f"replays: [{self.REPLAY}]"), {}), QUICK)

        fine = _lines(report, Level.OK)
        assert ("source@primary", "payments: 2 partitions, 2.0 records/s, read 200 records") in fine
        assert any(where == "to-dr" and text.startswith("primary.payments: 2 part") for where, text in fine)
        assert ("redrive", "records with header x-redrive are intended replays") in fine
        assert any(where == "replays" and "duplicates of to-dr from" in text for where, text in fine)
        assert _lines(report, Level.PROBLEM) == []
        ((where, text),) = _lines(report, Level.WARNING)
        assert (where, text.split(":")[0]) == ("source@dr", "^orders-.*")

    def test_a_cluster_that_cannot_tell_topic_ids_is_told(self, write):
        report = check(load(write(self.PIPELINE), {}), QUICK)

        text = (
            "tells no topic ids: that a topic was deleted and created again is noticed only when it "
            "became shorter than it was read"
        )
        assert [line for line in _lines(report, Level.NOTE) if "topic ids" in line[1]] == [
            ("primary", text),
            ("dr", text),
        ]


class TestGroups:
    SINK = "p: {key: kafka_key, source: {cluster: primary, topics: [quiet]}, sinks: {s: {group: charger}}}"

    def test_a_group_that_committed_nothing_is_a_warning(self, write):
        file = write(self.SINK.replace("charger", "chrger"))

        warning = "group 'chrger' has committed nothing in what the sink reads: check its name, or its ACL"
        assert ("s", warning) in _lines(check(load(file, {}), QUICK), Level.WARNING)

    def test_a_group_that_committed_is_well(self, write, primary):
        properties = {"bootstrap.servers": primary.bootstrap_servers, "group.id": "charger"}
        consumer = Consumer(properties)
        consumer.commit(offsets=[TopicPartition("quiet", 0, 0)], asynchronous=False)
        consumer.close()

        assert _lines(check(load(write(self.SINK), {}), QUICK), Level.WARNING) == []
