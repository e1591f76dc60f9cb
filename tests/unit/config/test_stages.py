from __future__ import annotations

from dupscope.config.problems import Problems
from dupscope.config.stages import stages
from dupscope.config.tree import MirrorNode, PipelineNode, SinkNode, SourceNode
from dupscope.fingerprint.settings import KeySpec
from dupscope.model.topology import MAX_LOGS


def _node(mirrors=None, sinks=None, topics=("t",), clusters=("a",)):
    sources = [SourceNode(cluster=cluster, topics=list(topics)) for cluster in clusters]
    return PipelineNode(key=KeySpec("kafka_key"), source=sources, mirrors=mirrors or {}, sinks=sinks or {})


def _mirror(topic="x.t", **more):
    return MirrorNode(cluster="b", topics=[topic], **more)


def _stages(node):
    problems = Problems("f")
    found = stages("p", node, {"a", "b"}, problems)
    problems.raise_if_any()
    return found


class TestStages:
    def test_mirrors_are_ordered_downstream_whatever_the_order_of_the_file(self):
        mirrors = {
            "third": _mirror("z.y.x.t", from_="second"),
            "second": _mirror("y.x.t", from_="first"),
            "aside": _mirror("w.t"),
            "first": _mirror(),
        }

        topology = _stages(_node(mirrors)).topology

        assert [log.name for log in topology.logs] == ["source", "aside", "first", "second", "third"]
        assert [log.upstream for log in topology.logs] == [(), (0,), (0,), (2,), (3,)]

    def test_the_topic_of_a_sink_is_known_where_it_reads_only_one(self):
        sinks = {"one": SinkNode(reads=["first", "source"]), "two": SinkNode(reads=["source"])}

        assert _stages(_node({"first": _mirror()}, sinks)).only_topic_of(0) == "t"
        assert _stages(_node(sinks={"two": SinkNode()}, topics=("t", "u"))).only_topic_of(0) is None

    def test_what_a_mirror_writes_is_no_source_though_a_pattern_matches_it(self):
        mirrors = {"to-b": _mirror(topic="^a\\..*", from_="source@a")}

        topics = _stages(_node(mirrors, topics=("^.*t",), clusters=("a", "b"))).topics

        assert topics[0].chosen(["t", "a.t"]) == {"t": "t", "a.t": "a.t"}
        assert topics[1].chosen(["t", "a.t"]) == {"t": "t"}
        assert topics[2].chosen(["t", "a.t"]) == {"a.t": "t"}

    def test_a_pattern_is_several_topics(self):
        sinks = {"one": SinkNode(reads=["source"])}

        assert _stages(_node(sinks=sinks, topics=("t", "^t-.*"))).only_topic_of(0) is None

    def test_a_mirror_of_source_copies_every_source_and_of_source_at_a_cluster_that_one(self):
        mirrors = {"all": _mirror(), "one": _mirror(from_="source@b"), "far": _mirror("y.x.t", from_="one")}

        topology = _stages(_node(mirrors, clusters=("a", "b"))).topology

        assert [(log.name, log.upstream) for log in topology.logs] == [
            ("source", ()),
            ("source", ()),
            ("all", (0, 1)),
            ("one", (1,)),
            ("far", (3,)),
        ]
        assert topology.sources_of(4) == (1,)

    def test_a_source_alone_can_be_named_by_its_cluster_too(self):
        topology = _stages(
            _node({"m": _mirror(from_="source@a")}, {"s": SinkNode(reads=["m", "source@a"])})
        ).topology

        assert (topology.logs[1].upstream, topology.sinks[0].reads) == ((0,), (1, 0))

    def test_topics_of_a_mirror_may_be_of_any_source_that_it_copies(self):
        sources = [SourceNode(cluster="a", topics=["t"]), SourceNode(cluster="b", topics=["^u.*"])]
        mirrors = {"m": MirrorNode(cluster="b", topics=["x.t", "^x.*"])}
        node = PipelineNode(key=KeySpec("kafka_key"), source=sources, mirrors=mirrors)

        assert _stages(node).topics[2].chosen(["x.u1", "x.v"]) == {"x.t": "t", "x.u1": "u1"}

    def test_too_many_mirrors_are_a_problem_not_a_crash(self):
        problems = Problems("f")
        mirrors = {f"m{number}": _mirror() for number in range(MAX_LOGS)}

        stages("p", _node(mirrors), {"a", "b"}, problems)

        assert len(problems) == 1
