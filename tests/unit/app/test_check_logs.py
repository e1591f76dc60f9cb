from __future__ import annotations

import pytest

from dupscope.app.check_logs import Found, present_topics, tell_logs
from dupscope.app.check_report import Level, Section
from dupscope.app.check_topics import TopicProbe
from dupscope.config.load import load
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.sample import SampledRecord

CLUSTERS = "clusters: {a: {bootstrap.servers: x}, b: {bootstrap.servers: y}}\n"


class Answers:
    """A cluster that has these topics, some of them with a timestamp type."""

    def __init__(self, *topics, **types):
        self._topics, self._types = topics, types

    def topics(self):
        return sorted(self._topics)

    def timestamp_types(self, topics):
        return {topic: kind for topic, kind in self._types.items() if topic in topics}


class Silent(Answers):
    def topics(self):
        raise BrokersUnreachableError("cluster 'a': topics: transport")


@pytest.fixture
def pipeline(tmp_path):
    def pipeline(source, mirror="", more=""):
        file = tmp_path / "f.yaml"
        mirrors = f", mirrors: {{m: {{cluster: b, {mirror}}}}}" if mirror else ""
        file.write_text(f"{CLUSTERS}pipelines: {{p: {{key: kafka_key, source: {source}{mirrors}{more}}}}}\n")
        return load(file, {}).pipelines["p"]

    return pipeline


def _told(pipeline, **clusters):
    """Lines about a pipeline whose topics are all empty, where they are there."""
    section = Section("s")
    found = Found(pipeline, clusters, present_topics([pipeline], clusters, section))
    names = [name for name in found.names(range(len(found.topics))) if name[0] in clusters]
    probes = {(cluster, topic): TopicProbe(None, topic) for cluster, topic in names}
    tell_logs(Found(pipeline, clusters, found.present, probes), section)
    return [(line.level, line.where, line.text) for line in section.lines if "is empty" not in line.text]


def _record(offset, *headers):
    return SampledRecord(0, offset, 1000, b"%d" % offset, b"{}", [(name, b"") for name in headers])


class TestPatterns:
    def test_topics_that_a_pattern_finds_are_looked_at(self, pipeline):
        found = Found(
            pipeline('{cluster: a, topics: ["^t.*", u]}', 'topics: ["^a[.].*"]'),
            {},
            {"a": ["t1", "t2", "x"], "b": ["a.t1", "a.u", "a.x"]},
        )

        assert found.topics == [{"u": "u", "t1": "t1", "t2": "t2"}, {"a.t1": "t1", "a.u": "u"}]
        assert found.names([0]) == [("a", "u"), ("a", "t1"), ("a", "t2")]

    def test_a_pattern_that_matches_nothing_is_a_warning(self, pipeline):
        text = "^t-.*: no topic matches this pattern yet: correct it, unless the topic is still to come"

        assert _told(pipeline('{cluster: a, topics: [t, "^t-.*"]}'), a=Answers("t", "__t")) == [
            (Level.WARNING, "source", text)
        ]

    def test_a_pattern_of_a_mirror_that_matches_copies_of_nothing_names_them(self, pipeline):
        told = _told(
            pipeline("{cluster: a, topics: [t]}", 'topics: ["^a-.*"]'),
            a=Answers("t"),
            b=Answers("a-t", "a-u"),
        )

        text = (
            "^a-.*: matches a-t, a-u, but by the naming policy no topic of source has such a copy: "
            "correct one of them"
        )
        assert told == [(Level.WARNING, "m", text)]

    def test_where_topics_cannot_be_listed_patterns_are_a_problem(self, pipeline):
        unknown = "^t.*: not looked at, the topics of cluster a are not known"

        assert _told(pipeline('{cluster: a, topics: ["^t.*"]}'), a=Silent()) == [
            (Level.PROBLEM, "a", "its topics cannot be listed: cluster 'a': topics: transport"),
            (Level.PROBLEM, "source", unknown),
        ]
        assert _told(pipeline('{cluster: a, topics: ["^t.*"]}')) == [(Level.PROBLEM, "source", unknown)]

    def test_a_topic_that_belongs_to_two_logs_is_a_warning(self, pipeline):
        sources = "[{cluster: a, topics: [t]}, {cluster: b, topics: [a.t, t]}]"
        told = _told(
            pipeline(sources, "from: source@a, topics: [a.t]"), a=Answers("t"), b=Answers("a.t", "t")
        )

        text = "a.t on b belongs to source@b and m: its records count in each; let one stage have it"
        assert told == [(Level.WARNING, "m", text)]


class TestTimestamps:
    def test_a_tag_with_timestamps_where_brokers_set_them_is_a_warning(self, pipeline):
        told = _told(
            pipeline("{cluster: a, topics: [t]}", "topics: [x.t]"),
            a=Answers(t="LogAppendTime"),
            b=Answers(**{"x.t": "LogAppendTime"}),
        )

        text = (
            "x.t: message.timestamp.type=LogAppendTime: "
            "brokers set the timestamps, so no copy keeps its own: leave 'timestamp' out of 'tag'"
        )
        assert told == [(Level.WARNING, "m", text)]

    def test_a_tag_without_timestamps_where_copies_keep_them_is_a_note(self, pipeline):
        told = _told(
            pipeline("{cluster: a, topics: [t]}", "topics: [x.t], tag: [key, value]"),
            a=Answers(),
            b=Answers(**{"x.t": "CreateTime"}),
        )

        text = (
            "x.t: message.timestamp.type=CreateTime: copies keep their timestamps: "
            "with 'timestamp' in 'tag' they are told apart better"
        )
        assert told == [(Level.NOTE, "m", text)]

    def test_a_tag_that_fits_is_not_mentioned(self, pipeline):
        fitting = pipeline("{cluster: a, topics: [t]}", "topics: [x.t]")

        assert _told(fitting, a=Answers(), b=Answers(**{"x.t": "CreateTime"})) == []
        assert _told(fitting, a=Answers(), b=Answers()) == []


class TestMarks:
    REDRIVE = ", redrive: {headers: [x-redrive]}"

    @pytest.mark.parametrize(
        ("records", "line"),
        [
            ([_record(0), _record(1)], []),
            (
                [_record(0), _record(1, "x-redrive")],
                [(Level.NOTE, "source", "t: 50% of the sample are marked as intended replays")],
            ),
            (
                [_record(0, "x-redrive")],
                [
                    (
                        Level.WARNING,
                        "source",
                        (
                            "t: 100% of the sample are marked as intended replays: no duplicate would count; "
                            "narrow 'redrive'"
                        ),
                    )
                ],
            ),
        ],
        ids=["none", "some", "all"],
    )
    def test_the_share_of_marked_records_is_told(self, pipeline, records, line):
        probe = TopicProbe(None, "t", ends={0: 9}, records=records)
        section = Section("s")

        tell_logs(
            Found(pipeline("{cluster: a, topics: [t]}", more=self.REDRIVE), {}, {}, {("a", "t"): probe}),
            section,
        )

        told = [(line.level, line.where, line.text) for line in section.lines]
        assert [each for each in told if "marked" in each[2]] == line
