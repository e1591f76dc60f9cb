from __future__ import annotations

import pytest

from dupscope.config.problems import Problems
from dupscope.config.reader import Reader, stand_in
from dupscope.config.tree import Document, LimitsNode, PipelineNode, SinkNode, SourceNode
from dupscope.config.values import Size
from dupscope.fingerprint.settings import KeySpec
from dupscope.model.errors import ConfigError


class TestReader:
    def test_what_does_not_fit_is_reported_and_its_default_stands_in(self):
        problems = Problems("f")

        found = Reader(problems).read(LimitsNode, {"memory": "much", "fetch_rate": 10}, "limits")

        assert found == LimitsNode(memory=Size(1 << 30), fetch_rate=10)
        assert len(problems) == 1

    def test_null_leaves_an_optional_key_out(self):
        problems = Problems("f")

        assert Reader(problems).read(SinkNode, {"group": None, "reads": None}, "s") == SinkNode()
        assert len(problems) == 0

    @pytest.mark.parametrize(
        "raw", [None, 1, "x", [], {}, {"clusters": 1, "pipelines": {"p": None}}, {1: {2: 3}}]
    )
    def test_whatever_yaml_gives_a_document_comes_of_it(self, raw):
        problems = Problems("f")

        assert isinstance(Reader(problems).read(Document, raw, ""), Document)
        assert len(problems) > 0


ALONE = {"cluster": "a", "topics": ["t"]}


class TestLists:
    @pytest.mark.parametrize("raw", [ALONE, [ALONE]], ids=["alone", "in a list"])
    def test_a_source_alone_needs_no_list(self, raw):
        problems = Problems("f")

        found = Reader(problems).read(PipelineNode, {"key": "kafka_key", "source": raw}, "p")

        assert found.source == [SourceNode(cluster="a", topics=["t"])]
        assert len(problems) == 0

    @pytest.mark.parametrize("raw", [None, []])
    def test_the_last_replay_can_be_taken_out(self, raw):
        problems = Problems("f")

        Reader(problems).read(Document, {"clusters": {}, "pipelines": {"p": {}}, "replays": raw}, "")

        with pytest.raises(ConfigError) as caught:
            problems.raise_if_any()
        assert not any("replays" in problem for problem in caught.value.problems)


class TestStandIn:
    def test_is_an_empty_value_of_the_type_all_the_way_down(self):
        assert stand_in(PipelineNode) == PipelineNode(key=KeySpec("kafka_key"), source=[])
