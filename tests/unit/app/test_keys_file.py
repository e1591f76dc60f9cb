from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml

from dupscope.app.keys_file import SampledTopic, clusters_section, first_file, flows, key_text, quoted
from dupscope.config.load import load
from dupscope.fingerprint.propose import propose
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import ClusterSettings


def _topic(name, cluster="primary"):
    values = [json.dumps({"id": number}).encode() for number in range(20)]
    records = [SimpleNamespace(key=None, value=value, headers=[]) for value in values]
    return SampledTopic(cluster, propose(name, records), 1)


def _keyless(name):
    return SampledTopic("primary", propose(name, []), 1)


class TestFlows:
    def _named(self, *topics):
        return {
            flow.source.topic: [(mirror.topic, origin.topic) for mirror, origin in flow.mirrors]
            for flow in flows(topics)
        }

    def test_an_alias_before_another_topics_name_is_a_mirror(self):
        assert self._named(_topic("payments"), _topic("primary.payments", "dr"), _topic("orders")) == {
            "payments": [("primary.payments", "payments")],
            "orders": [],
        }

    def test_the_same_name_on_another_cluster_is_a_mirror_of_the_one_named_first(self):
        assert self._named(_topic("payments"), _topic("payments", "dr")) == {
            "payments": [("payments", "payments")]
        }

    def test_a_chain_of_aliases_is_a_chain_of_mirrors(self):
        assert self._named(_topic("b"), _topic("x.a.b", "dr"), _topic("a.b")) == {
            "b": [("a.b", "b"), ("x.a.b", "a.b")]
        }

    def test_a_topic_without_a_key_is_left_out(self):
        assert self._named(_keyless("empty"), _topic("payments")) == {"payments": []}


class TestFirstFile:
    @pytest.mark.parametrize(
        "topics",
        [
            [_topic("payments")],
            [_topic("payments"), _topic("primary.payments", "dr")],
            [_topic("payments"), _topic("payments", "dr")],
            [
                _topic("payments"),
                _topic("a.payments"),
                _topic("b.payments", "dr"),
                _topic("c.payments", "dr"),
            ],
            [_topic("b"), _topic("a.b", "dr"), _topic("x.a.b")],
            [_topic("a.b"), _topic("a-b"), _topic("_odd Name: {x}")],
            [_topic("123"), _topic("true"), _topic("it's")],
        ],
        ids=lambda topics: " ".join(topic.topic for topic in topics),
    )
    def test_loads_as_a_configuration(self, topics, tmp_path):
        file = tmp_path / "f.yaml"
        clusters = {name: ClusterSettings(name, {"bootstrap.servers": "h:1"}) for name in ("primary", "dr")}

        file.write_text(first_file(topics, clusters_section(clusters, None)))

        config = load(file, {})
        assert [list(each.topics[0].names) for each in config.pipelines.values()] == [
            [flow.source.topic] for flow in flows(topics)
        ]

    def test_without_a_key_there_is_none(self):
        assert first_file([_keyless("empty")], "clusters: {}") is None


class TestClustersSection:
    def test_of_another_configuration_keeps_references_to_secrets(self, tmp_path):
        file = tmp_path / "f.yaml"
        file.write_text("clusters: {a: {bootstrap.servers: x, sasl.password: {env: PW}}}\npipelines: {}\n")

        section = clusters_section({}, file)

        assert yaml.safe_load(section) == {
            "clusters": {"a": {"bootstrap.servers": "x", "sasl.password": {"env": "PW"}}}
        }


class TestQuoted:
    @pytest.mark.parametrize(
        "text", ["plain", "a.b-c", "it's", "true", "No", "12", "a: b", "[x]", "#", "", r"a\.b", "é"]
    )
    def test_reads_back_as_the_same_text(self, text):
        assert yaml.safe_load(f"[{quoted(text)}]") == [text]


class TestKeyText:
    @pytest.mark.parametrize(
        ("spec", "text"),
        [
            (KeySpec("kafka_key"), "kafka_key"),
            (KeySpec("header", ("id",)), "{header: id}"),
            (KeySpec("json", ("a.id", "b c")), "{json: [a.id, 'b c']}"),
        ],
    )
    def test_is_what_the_configuration_takes(self, spec, text):
        assert key_text(spec) == text
