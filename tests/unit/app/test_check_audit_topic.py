from __future__ import annotations

import json

import pytest

from dupscope.app.check_audit import look_at_audit
from dupscope.app.check_report import Level, Section
from dupscope.config.load import load
from support.mock import MockCluster

LINE = {"key": "p-1", "topic": "payments", "partition": 0, "offset": 5}
AGENT = [("dupscope-agent", b"1"), ("dupscope-file", b"f")]


@pytest.fixture(scope="module")
def cluster():
    with MockCluster() as cluster:
        for topic in ("own", "shipped", "wrapped", "odd", "empty"):
            cluster.create_topic(topic, 2)
        line = json.dumps(LINE).encode()
        cluster.produce("own", [(n % 2, b"k", line) for n in range(6)])
        ends = [10, 20, 10, 20, 30]
        cluster.produce(
            "shipped",
            [(0, b"f", line, None, [*AGENT, ("dupscope-end", b"%d" % end)]) for end in ends],
        )
        wrapped = [{"message": line.decode(), "host": "h", "file": "f", "offset": 10 * n} for n in range(3)]
        wrapped += [{"message": line.decode(), "host": "h", "file": "f"}]
        cluster.produce("wrapped", [(0, None, json.dumps(each).encode()) for each in wrapped])
        cluster.produce("odd", [(0, b"f", b"x", None, AGENT), (0, b"f", line)])
        yield cluster


@pytest.fixture
def told(tmp_path, cluster):
    def told(topics: str, more: str = "", servers: str | None = None):
        file = tmp_path / "f.yaml"
        file.write_text(f"""
clusters: {{a: {{bootstrap.servers: "{servers or cluster.bootstrap_servers}"}}}}
pipelines:
  p:
    key: {{json: [id]}}
    source: {{cluster: a, topics: [payments]}}
    sinks: {{s: {{group: g, audit: {{kafka: {{cluster: a, topics: {topics} {more}}}}}}}}}
""")
        section = Section("p")
        look_at_audit(load(file, {}).pipelines["p"], 0, section)
        return [(line.level, line.text) for line in section.lines]

    return told


class TestLastShipped:
    def test_values_are_lines(self, told):
        assert told("[own]") == [(Level.OK, "topic own on a: 6 of the last 6 lines can be used")]

    def test_it_says_what_was_shipped_and_leaves_repeats_out(self, told):
        assert told("[shipped]") == [
            (
                Level.OK,
                "topic shipped on a: 5 of the last 5 records are lines that were shipped, 2 of them twice",
            ),
            (Level.OK, "topic shipped on a: 3 of the last 3 lines can be used"),
        ]

    def test_lines_of_other_shippers_need_an_offset(self, told):
        lines = told("[wrapped]", ", shipped_by: vector")
        assert [level for level, _ in lines] == [Level.OK, Level.WARNING, Level.OK]
        assert lines[1][1] == (
            "topic wrapped on a: 1 shipped lines have no offset: one that is shipped twice counts twice; "
            "log it, and map it: audit: kafka: offset"
        )
        assert lines[2][1] == "topic wrapped on a: 4 of the last 4 lines can be used"

    def test_an_envelope_that_nobody_announced_is_a_problem(self, told):
        assert told("[wrapped]")[0][0] is Level.PROBLEM

    def test_what_is_shipped_wrongly_is_counted(self, told):
        assert told("[odd]")[1:] == [
            (Level.WARNING, "topic odd on a: 1 of the last 2 records hold no line: bad_shipment"),
            (Level.OK, "topic odd on a: 1 of the last 1 line can be used"),
        ]

    def test_topics_of_a_pattern_are_found(self, told):
        (line,) = told("['^ow.*', '^emp.*']")
        assert line == (Level.OK, "topic ^ow.*, ^emp.* on a: 6 of the last 6 lines can be used")
        assert told("['^nothing.*']") == [
            (Level.PROBLEM, "topic ^nothing.* on a: no topic is matched by the pattern: create one")
        ]

    def test_an_empty_topic_has_no_line_yet(self, told):
        assert told("[empty]") == [(Level.NOTE, "topic empty on a: no line yet")]

    def test_a_cluster_that_is_away_is_a_problem(self, told):
        ((level, text),) = told("[own]", servers="127.0.0.1:1")
        assert level is Level.PROBLEM
        assert text.endswith("check address, network and credentials")
