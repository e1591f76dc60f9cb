from __future__ import annotations

from dupscope.config.problems import Problems
from dupscope.config.stages import stages
from dupscope.config.tree import MirrorNode, PipelineNode, SinkNode, SourceNode
from dupscope.fingerprint.settings import KeySpec
from dupscope.model.topology import MAX_LOGS


def _node(mirrors=None, sinks=None, topics=("t",)):
    source = SourceNode(cluster="a", topics=list(topics))
    return PipelineNode(key=KeySpec("kafka_key"), source=source, mirrors=mirrors or {}, sinks=sinks or {})


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
        assert [log.upstream for log in topology.logs] == [None, 0, 0, 2, 3]

    def test_the_topic_of_a_sink_is_known_where_it_reads_only_one(self):
        sinks = {"one": SinkNode(reads=["first", "source"]), "two": SinkNode(reads=["source"])}

        assert _stages(_node({"first": _mirror()}, sinks)).only_topic_of(0) == "t"
        assert _stages(_node(sinks={"two": SinkNode()}, topics=("t", "u"))).only_topic_of(0) is None

    def test_too_many_mirrors_are_a_problem_not_a_crash(self):
        problems = Problems("f")
        mirrors = {f"m{number}": _mirror() for number in range(MAX_LOGS)}

        stages("p", _node(mirrors), {"a", "b"}, problems)

        assert len(problems) == 1
