from __future__ import annotations

import pytest

from dupscope.config.problems import Problems, nearest, nearest_of_all
from dupscope.model.errors import ConfigError


class TestProblems:
    def test_are_raised_together_in_order_and_once(self):
        problems = Problems("f.yaml")
        problems.add("b", "second")
        problems.add("", "whole file")
        problems.add("b", "second")

        with pytest.raises(ConfigError) as caught:
            problems.raise_if_any()

        assert caught.value.problems == ["f.yaml: b: second", "f.yaml: whole file"]

    def test_none_raises_nothing(self):
        Problems("f.yaml").raise_if_any()


class TestNearest:
    def test_guesses_only_what_is_close(self):
        assert nearest("sorce", ["source", "sinks"]) == "did you mean 'source'?"
        assert nearest("zebra", ["source", "sinks", "source"]) == "known here: source, sinks"
        assert nearest("zebra", []) == "none is known here"


class TestNearestOfAll:
    def test_tells_all_that_is_known_besides(self):
        assert (
            nearest_of_all("to_dr", ["source", "to-dr"]) == "did you mean 'to-dr'? known here: source, to-dr"
        )
        assert nearest_of_all("zebra", ["source"]) == "known here: source"
        assert nearest_of_all("zebra", []) == "none is known here"
