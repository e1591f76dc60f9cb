from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.config.load import load, load_replays
from dupscope.config.settings import Limits
from dupscope.config.values import ListenAddress, StartAt
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.redrive import RedriveMarks
from dupscope.model.errors import ConfigError
from dupscope.model.replay import Replay
from dupscope.model.topology import Log, Sink, TagParts

TESTDATA = Path(__file__).parent / "testdata"
BAD = sorted(TESTDATA.glob("*.yaml"))

COMPLETE = """
clusters:
  primary: {bootstrap.servers: "a:9092", sasl.password: {env: PASSWORD}, log.queue: true}
  dr: {bootstrap.servers: "b:9092", ssl.key.password: {file: key-password}}
pipelines:
  payments:
    key: {json: [order.id, type]}
    window: 1h30m
    margin: 30s
    start: earliest
    redrive: {headers: [x-redrive], producers: {header: x-producer, names: [redrive-tool]}}
    team: payments-team
    source: {cluster: primary, topics: [payments, shop.refunds]}
    mirrors:
      far: {cluster: primary, from: to-dr, topics: [dr.primary.payments], tag: [key, value]}
      to-dr: {cluster: dr, topics: [primary.payments, primary.shop.refunds]}
    sinks:
      charger:
        reads: [to-dr, source]
        group: charger-group
        order: strict
        audit: {file: logs/audit.jsonl, fields: {at: time}}
      mailer: {reads: [far]}
  clicks:
    key: kafka_key
    source: {cluster: dr, topics: [clicks]}
    sinks: {counter: {}}
  orders:
    key: {header: id}
    source:
      - {cluster: primary, topics: ["^orders-.*", orders]}
      - {cluster: dr, topics: ["^orders-.*"]}
    mirrors:
      east: {cluster: dr, from: source@primary, topics: ['^primary\\.orders.*']}
      both: {cluster: primary, topics: [all.orders-eu, '^all\\.orders-.*']}
    sinks:
      shipper: {reads: [source@dr, east]}
      ledger: {reads: [source]}
replays:
  - {pipeline: payments, stage: source, reason: again,
     from: 2026-11-23T10:00:00Z, to: "2026-11-23T11:30:00+01:00"}
  - {pipeline: payments, stage: charger, from: 2026-11-23 10:00:00.5+00:00, to: 2026-11-24T00:00:00Z}
fingerprint_key: {file: /etc/dupscope/fingerprint.key}
state: {path: state}
limits: {memory: 512MiB, disk: 2GiB, fetch_rate: 5000}
web: {listen: "127.0.0.1:0"}
log: {level: warning, findings_per_second: 0}
"""


def _paths(document, path=()):
    """The path of every part of a document."""
    parts = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document if isinstance(document, list) else ())
    )
    for name, part in parts:
        yield (*path, name)
        yield from _paths(part, (*path, name))


def _replace(document, path, junk):
    """Put `junk` in the place of a part, unless the place is gone."""
    for name in path[:-1]:
        try:
            document = document[name]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(document, dict | list):
        try:
            document[path[-1]] = junk
        except (IndexError, TypeError):
            return


@pytest.fixture
def complete(tmp_path):
    (tmp_path / "key-password").write_text("of the key\n")
    file = tmp_path / "dupscope.yaml"
    file.write_text(COMPLETE)
    return load(file, {"PASSWORD": "of the user"})


class TestMistakes:
    """Each file of testdata holds one kind of mistake, and in its `#!` lines what is said about it."""

    @pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
    def test_all_problems_are_told_at_once_each_with_its_path(self, file):
        lines = [line[3:] for line in file.read_text().splitlines() if line.startswith("#!")]

        with pytest.raises(ConfigError) as caught:
            load(file, {})

        expected = [f"{file}: {line.replace('TESTDATA', str(file.parent))}" for line in lines]
        assert sorted(expected) == sorted(caught.value.problems)

    def test_a_file_that_is_not_there_is_a_problem(self, tmp_path):
        with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: No such file or directory"):
            load(tmp_path / "absent.yaml", {})

    def test_a_file_of_bytes_is_a_problem(self, tmp_path):
        (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")

        with pytest.raises(ConfigError, match=r"bytes\.yaml: is not UTF-8 text"):
            load(tmp_path / "bytes.yaml", {})

    def test_a_secret_is_in_no_message(self):
        with pytest.raises(ConfigError) as caught:
            load(TESTDATA / "secrets.yaml", {})

        assert "c4n4ry" not in str(caught.value)


class TestLoad:
    def test_settings_of_each_room_are_composed(self, complete, tmp_path):
        payments = complete.pipelines["payments"]

        assert dict(complete.clusters["dr"].properties) == {
            "bootstrap.servers": "b:9092",
            "ssl.key.password": "of the key",
        }
        assert complete.clusters["primary"].properties["sasl.password"] == "of the user"
        assert complete.clusters["primary"].properties["log.queue"] == "true"
        assert KeySpec("json", ("order.id", "type")) == payments.key
        assert (payments.window_seconds, payments.margin_seconds) == (5400.0, 30.0)
        assert StartAt("earliest") == payments.start
        assert payments.team == "payments-team"
        assert payments.name == "payments"
        assert tmp_path / "state" == complete.state_path
        assert Path("/etc/dupscope/fingerprint.key") == complete.fingerprint_key
        assert Limits(512 << 20, 2 << 30, 5000) == complete.limits
        assert ListenAddress("127.0.0.1", 0) == complete.listen
        assert (complete.log.level, complete.log.findings_per_second) == ("warning", 0)

    def test_a_mirror_stands_after_the_log_that_it_copies(self, complete):
        assert (
            Log("source", "primary"),
            Log("to-dr", "dr", (0,)),
            Log("far", "primary", (1,), TagParts(timestamp=False)),
        ) == complete.pipelines["payments"].topology.logs

    def test_sinks_read_logs_by_index_in_the_order_of_the_file(self, complete):
        assert (
            Sink("charger", (1, 0), "charger-group", ordered=True),
            Sink("mailer", (2,)),
        ) == complete.pipelines["payments"].topology.sinks

    def test_without_mirrors_a_sink_reads_the_source(self, complete):
        assert (Sink("counter", (0,)),) == complete.pipelines["clicks"].topology.sinks

    def test_every_topic_has_its_logical_topic_down_the_chain(self, complete):
        assert [topics.names for topics in complete.pipelines["payments"].topics] == [
            {"payments": "payments", "shop.refunds": "shop.refunds"},
            {"primary.payments": "payments", "primary.shop.refunds": "shop.refunds"},
            {"dr.primary.payments": "payments"},
        ]

    def test_several_sources_stand_first_and_can_be_named_by_their_cluster(self, complete):
        topology = complete.pipelines["orders"].topology

        assert topology.logs == (
            Log("source", "primary"),
            Log("source", "dr"),
            Log("east", "dr", (0,)),
            Log("both", "primary", (0, 1)),
        )
        assert [sink.reads for sink in topology.sinks] == [(1, 2), (0, 1)]

    def test_a_pattern_chooses_topics_of_the_cluster_with_their_logical_topics(self, complete):
        _, dr, east, both = complete.pipelines["orders"].topics

        assert dr.chosen(["orders", "orders-eu", "__orders-x"]) == {"orders-eu": "orders-eu"}
        assert east.chosen(["primary.orders-eu", "primary.orders", "primary.ordersx"]) == {
            "primary.orders-eu": "orders-eu",
            "primary.orders": "orders",
        }
        assert both.chosen(["all.orders-eu", "all.orders"]) == {"all.orders-eu": "orders-eu"}

    def test_marks_of_a_redrive_are_those_of_the_file(self, complete):
        assert (
            RedriveMarks(frozenset({"x-redrive"}), "x-producer", frozenset({"redrive-tool"}))
            == complete.pipelines["payments"].redrive
        )
        assert not complete.pipelines["clicks"].redrive

    def test_replays_are_by_pipeline_in_milliseconds(self, complete):
        assert complete.replays == {
            "payments": (
                Replay("source", 1795428000_000, 1795429800_000, "again"),
                Replay("charger", 1795428000_500, 1795478400_000, "declared"),
            )
        }

    def test_only_sinks_with_an_audit_log_have_audit_settings(self, complete, tmp_path):
        audits = complete.pipelines["payments"].audits

        assert {0: str(tmp_path / "logs/audit.jsonl")} == {
            sink: str(audit.source) for sink, audit in audits.items()
        }
        assert audits[0].names["at"] == "time"

    def test_defaults_are_those_of_the_documentation(self, tmp_path):
        file = tmp_path / "least.yaml"
        file.write_text(
            "clusters: {a: {bootstrap.servers: x}}\n"
            "pipelines: {p: {key: kafka_key, source: {cluster: a, topics: [t]}}}\n"
        )

        config = load(file, {})
        pipeline = config.pipelines["p"]

        assert (pipeline.window_seconds, pipeline.margin_seconds, pipeline.team) == (86400.0, 600.0, None)
        assert StartAt("ago", 3600.0) == pipeline.start
        assert Path("/var/lib/dupscope/fingerprint.key") == config.fingerprint_key
        assert Limits(1 << 30, 4 << 30, None) == config.limits
        assert ListenAddress("", 9464) == config.listen
        assert (config.log.level, config.log.findings_per_second) == ("info", 100)

    def test_no_secret_shows_in_the_settings(self, complete):
        for text in (repr(complete), str(complete), repr(complete.masked)):
            assert "of the user" not in text
            assert "of the key" not in text


class TestLoadReplays:
    """Reads the replays alone, while the rest of the file may be in the middle of a change."""

    REPLAY = "{pipeline: p, stage: s, from: 1970-01-01T00:00:01Z, to: 1970-01-01T00:00:02Z}"

    @pytest.fixture
    def replays(self, tmp_path):
        def replays(text):
            file = tmp_path / "f.yaml"
            file.write_text(text)
            return load_replays(file)

        return replays

    def test_whatever_else_is_in_the_file_is_ignored(self, replays):
        text = f"pipelines: {{p: {{wrong: 1, wrong: 2, sinks: {{s: nothing}}}}}}\nreplays: [{self.REPLAY}]\n"

        assert replays(text) == {"p": (Replay("s", 1000, 2000),)}

    @pytest.mark.parametrize(
        "text", ["clusters: {}", "pipelines: 1\nreplays:", "replays: []", "- 1"], ids=str.split
    )
    def test_a_file_without_replays_has_none(self, replays, text):
        assert replays(text) == {}

    def test_what_is_wrong_is_told_as_always(self, replays, tmp_path):
        with pytest.raises(ConfigError) as caught:
            replays(f"replays: [{self.REPLAY}, 1]\nreplays: [{self.REPLAY}, {{}}]\n")

        assert (
            caught.value.problems[0]
            == f"{tmp_path}/f.yaml: replays: is given twice, in lines 1 and 2; keep one"
        )
        assert f"{tmp_path}/f.yaml: replays[0].pipeline: there is no pipeline 'p'; none is known here" in (
            caught.value.problems
        )

    def test_a_file_that_is_half_written_is_a_problem(self, replays):
        with pytest.raises(ConfigError, match="is not YAML"):
            replays("replays: [{pipeline: p")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
_PARTS = st.sampled_from(list(_paths(yaml.safe_load(COMPLETE))))


class TestAnyFile:
    @settings(deadline=None)  # how long a file takes is not the question
    @given(changes=st.lists(st.tuples(_PARTS, JUNK), min_size=1, max_size=4))
    def test_gives_a_configuration_or_says_what_is_wrong_with_it(self, changes, tmp_path_factory):
        document = yaml.safe_load(COMPLETE)
        for path, junk in changes:
            _replace(document, path, junk)
        file = tmp_path_factory.mktemp("any") / "f.yaml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")

        for problem in _problems(file):
            assert problem.startswith(f"{file}: ")


def _problems(file):
    """What is said about a file; of a configuration without a problem, all that may be shown is made."""
    try:
        json.dumps(load(file, {"PASSWORD": "of the user"}).masked)
    except ConfigError as error:
        return error.problems
    return []
