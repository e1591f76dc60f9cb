from __future__ import annotations

import pytest

from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.config.load import load, load_clusters
from dupscope.model.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        return file

    return write


class TestAudits:
    def test_know_their_sinks_group_and_its_only_topic(self, write, tmp_path):
        file = write("""
clusters: {a: {bootstrap.servers: x}}
pipelines:
  p:
    key: kafka_key
    source: {cluster: a, topics: [t]}
    sinks: {s: {group: g, audit: {file: s.jsonl, fields: {key: id}}}, silent: {}}
""")

        assert load(file, {}).pipelines["p"].audits == {
            0: AuditSettings(
                FileSource(str(tmp_path / "s.jsonl")), {"key": "id"}, group="g", logical_topic="t"
            )
        }


class TestClusters:
    def test_can_be_read_alone(self, write):
        file = write("clusters: {a: {bootstrap.servers: x}}\nnot: finished\n")

        assert load_clusters(file, {})["a"].properties == {"bootstrap.servers": "x"}

    def test_problems_are_told_as_always(self, write):
        with pytest.raises(
            ConfigError, match=r"f\.yaml: clusters: an empty value must be a mapping of names"
        ):
            load_clusters(write("pipelines: {}\n"), {})
