from __future__ import annotations

import pytest

from dupscope.config.problems import Problems
from dupscope.config.replays import replays, stages_in
from dupscope.config.tree import MAX_REASONS, ReplayNode
from dupscope.config.values import Moment
from dupscope.model.errors import ConfigError
from dupscope.model.replay import Replay

STAGES = {"payments": ["source", "to-dr"], "orders": ["source"]}


def _node(pipeline="payments", stage="source", **more):
    return ReplayNode(**{"pipeline": pipeline, "stage": stage, "from_": Moment(1), "to": Moment(9), **more})


def _replays(*nodes):
    problems = Problems("f")
    found = replays(nodes, STAGES, problems)
    problems.raise_if_any()
    return found


class TestReplays:
    def test_are_by_pipeline_in_the_order_of_the_file(self):
        assert _replays(_node(), _node("orders"), _node(stage="to-dr", reason="again")) == {
            "payments": (Replay("source", 1, 9), Replay("to-dr", 1, 9, "again")),
            "orders": (Replay("source", 1, 9),),
        }

    def test_as_many_reasons_as_fit_into_labels_are_accepted(self):
        _replays(*(_node(reason=str(number % MAX_REASONS)) for number in range(2 * MAX_REASONS)))

        with pytest.raises(ConfigError, match="f: replays: 21 different reasons; the most is 20, since each"):
            _replays(*(_node(reason=str(number)) for number in range(MAX_REASONS + 1)))

    def test_nothing_is_said_about_the_stage_of_a_pipeline_that_is_not_there(self):
        with pytest.raises(ConfigError) as caught:
            _replays(_node("paymens", "nowhere"))

        assert str(caught.value) == (
            "f: replays[0].pipeline: there is no pipeline 'paymens'; did you mean 'payments'? "
            "known here: payments, orders"
        )


class TestStagesIn:
    def test_finds_names_in_whatever_the_file_holds(self):
        document = {
            "pipelines": {
                "p": {"mirrors": {"m": None}, "sinks": {"s": 1, 2: {}}},
                "q": None,
                "r": {"sinks": []},
            }
        }

        assert stages_in(document) == {"p": ["source", "m", "s", "2"], "q": ["source"], "r": ["source"]}
        assert stages_in({}) == stages_in({"pipelines": ["p"]}) == {}
