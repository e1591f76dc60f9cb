from __future__ import annotations

import pytest

from dupscope.model.layer import Layer
from dupscope.model.topology import MAX_LOGS, Log, Sink, Topology

SOURCE_LOG = Log("source", "a")
TREE = Topology(
    "pay",
    (SOURCE_LOG, Log("dr", "b", (0,)), Log("far", "c", (1,)), Log("lake", "d", (0,))),
    (Sink("charger", (2,)), Sink("mailer", (0, 3))),
)
"""source -> dr -> far, source -> lake."""

ACTIVE = Topology(
    "pay",
    (SOURCE_LOG, Log("source", "b"), Log("to-b", "b", (0,)), Log("to-a", "a", (1,)), Log("all", "c", (0, 1))),
)
"""Two sources, mirrors both ways, and one that copies both."""


class TestTopology:
    def test_above_is_nearest_first(self):
        assert [TREE.above(log) for log in range(4)] == [(), (0,), (1, 0), (0,)]

    def test_mirrors_stand_upstream_before_downstream(self):
        assert TREE.mirrors == (1, 2, 3)

    def test_the_deepest_log_is_read_first(self):
        assert TREE.downstream_first() == (2, 1, 3, 0)

    def test_a_sink_sees_what_it_reads_and_all_above(self):
        assert TREE.seen_by(0) == (0, 1, 2)
        assert TREE.seen_by(1) == (0, 3)

    @pytest.mark.parametrize(
        "logs",
        [
            (Log("source", "a", upstream=(0,)),),
            (SOURCE_LOG, Log("far", "c", upstream=(2,)), Log("dr", "b", upstream=(0,))),
        ],
    )
    def test_a_log_must_stand_after_the_one_it_copies(self, logs):
        with pytest.raises(ValueError, match="must stand after the log that it copies"):
            Topology("pay", logs)

    def test_several_sources_are_one_stage(self):
        assert ACTIVE.sources == (0, 1)
        assert ACTIVE.mirrors == (2, 3, 4)
        assert ACTIVE.stages == {"source": (0, 1), "to-b": (2,), "to-a": (3,), "all": (4,)}

    def test_a_log_knows_the_sources_that_it_descends_from(self):
        assert [ACTIVE.sources_of(log) for log in range(5)] == [(0,), (1,), (0,), (1,), (0, 1)]
        assert TREE.sources_of(2) == (0,)

    def test_every_source_is_of_the_produce_layer_and_every_other_log_of_the_mirror_layer(self):
        assert [ACTIVE.layer(log) for log in range(3)] == [Layer.PRODUCE, Layer.PRODUCE, Layer.MIRROR]

    def test_a_source_is_told_by_its_cluster_where_it_has_company(self):
        assert [ACTIVE.title(log) for log in range(3)] == ["source@a", "source@b", "to-b"]
        assert TREE.title(0) == "source"

    def test_depth_counts_steps(self):
        assert [ACTIVE.depth(log) for log in range(5)] == [0, 0, 1, 1, 1]
        assert TREE.depth(2) == 2

    def test_all_sources_have_one_name(self):
        with pytest.raises(ValueError, match="one name"):
            Topology("pay", (SOURCE_LOG, Log("dr", "b")))

    def test_the_sources_stand_first(self):
        with pytest.raises(ValueError, match="must stand first"):
            Topology("pay", (SOURCE_LOG, Log("dr", "b", (0,)), SOURCE_LOG))

    def test_there_is_a_largest_number_of_logs(self):
        mirrors = tuple(Log(f"m{n}", "b", (0,)) for n in range(MAX_LOGS))
        with pytest.raises(ValueError, match="1 to 64 logs, not 65"):
            Topology("pay", (SOURCE_LOG, *mirrors))
