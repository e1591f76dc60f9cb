from __future__ import annotations

import pytest

from dupscope.app.check_describe import describe_pipeline, log_names
from dupscope.app.check_report import Section
from dupscope.config.load import load
from dupscope.model.topology import Log, Topology

ACTIVE = """
clusters: {a: {bootstrap.servers: x}, b: {bootstrap.servers: x}}
pipelines:
  p:
    key: kafka_key
    source:
      - {cluster: a, topics: [t, "^t-.*"]}
      - {cluster: b, topics: [t]}
    mirrors:
      a-to-b: {cluster: b, topics: [a.t], from: source@a}
      far: {cluster: a, topics: [b.a.t], from: a-to-b}
    sinks:
      charger: {reads: [source@b, a-to-b], audit: {file: /audit.jsonl}}
      archive: {reads: [source, far]}
    redrive: {headers: [x-redrive, x-again], producers: {header: x-producer, names: [tool]}}
replays:
  - {pipeline: p, stage: far, from: 2026-11-23T10:00:00+01:00, to: 2026-11-23T10:30:00Z, reason: bug 7}
"""


@pytest.fixture
def described(tmp_path):
    def described(text):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        config = load(file, {})
        section = Section("s")
        (pipeline,) = config.pipelines.values()
        describe_pipeline(pipeline, config.replays.get(pipeline.name, ()), section)
        return [(line.where, line.text) for line in section.lines]

    return described


class TestDescribePipeline:
    def test_says_all_that_the_file_means(self, described):
        assert described(ACTIVE) == [
            ("source@a", "t, ^t-.* on cluster a"),
            ("source@b", "t on cluster b"),
            ("a-to-b", "a.t on cluster b, copies source@a"),
            ("far", "b.a.t on cluster a, copies a-to-b"),
            ("charger", "reads source@b and a-to-b; audit /audit.jsonl"),
            ("archive", "reads source and far; no audit log"),
            ("key", "the Kafka key"),
            (
                "redrive",
                (
                    "records with header x-again or x-redrive, "
                    "and those of producer tool (header x-producer) are intended replays"
                ),
            ),
            (
                "replays",
                "duplicates of far from 2026-11-23T09:00:00Z to 2026-11-23T10:30:00Z are intended: bug 7",
            ),
        ]

    def test_a_source_alone_needs_no_cluster_in_its_name_and_what_is_not_there_is_not_told(self, described):
        text = (
            "clusters: {a: {bootstrap.servers: x}}\n"
            "pipelines: {p: {key: kafka_key, source: {cluster: a, topics: [t]}}}\n"
        )

        assert described(text) == [("source", "t on cluster a"), ("key", "the Kafka key")]


class TestLogNames:
    def test_all_sources_together_are_the_source(self):
        topology = Topology("p", (Log("source", "a"), Log("source", "b"), Log("m", "b", (0, 1))))

        assert log_names(topology, (1, 0)) == "source"
        assert log_names(topology, (1, 2)) == "source@b and m"
