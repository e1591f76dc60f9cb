from __future__ import annotations

import pytest

from dupscope.app.audit_start import started
from dupscope.app.clusters import ANSWER_SECONDS, Clusters
from dupscope.audit.settings import TopicSource
from dupscope.config.load import load
from dupscope.kafka.client import silent
from dupscope.kafka.starts import Start

NOW = 1_795_000_000_000
AUDIT = "{kafka: {cluster: b, topics: [audit]}}"


@pytest.fixture
def start_at(tmp_path):
    def start_at(start: str, audit: str = AUDIT):
        file = tmp_path / "f.yaml"
        file.write_text(f"""
clusters: {{a: {{bootstrap.servers: x}}, b: {{bootstrap.servers: y}}}}
pipelines:
  p:
    key: {{json: [id]}}
    start: {start}
    margin: 60s
    source: {{cluster: a, topics: [t]}}
    mirrors: {{m: {{cluster: b, topics: [a.t]}}}}
    sinks: {{s: {{reads: [m], audit: {audit}}}}}
""")
        config = load(file, {})
        clusters = Clusters(config.clusters, silent, NOW)
        pipeline = config.pipelines["p"]
        opened.append(clusters)
        return pipeline.audits[0], started(pipeline.audits[0], pipeline, clusters)

    opened: list[Clusters] = []
    yield start_at
    for clusters in opened:
        clusters.close()


class TestStarted:
    def test_as_far_back_as_the_source_and_a_margin_more(self, start_at):
        _, audit = start_at("1h")
        assert audit.source.start == Start("timestamp", NOW - 3_600_000 - 60_000 - 60_000)

    def test_the_beginning_is_the_beginning(self, start_at):
        assert start_at("earliest")[1].source.start == Start("earliest")

    def test_a_cluster_may_take_as_long_as_for_the_logs(self, start_at):
        given, audit = start_at("earliest")
        assert isinstance(audit.source, TopicSource)
        assert given.source.cluster.timeout_seconds > ANSWER_SECONDS
        assert audit.source.cluster.timeout_seconds == ANSWER_SECONDS

    def test_other_audit_logs_are_left_as_they_are(self, start_at):
        given, audit = start_at("1h", "{file: a.jsonl}")
        assert audit is given
