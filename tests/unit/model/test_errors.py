from __future__ import annotations

from dupscope.model.errors import ClusterError, ConfigError, DupscopeError


class TestConfigError:
    def test_it_shows_every_problem_on_a_line(self):
        error = ConfigError(["a: unknown key", "b: missing"])
        assert str(error) == "a: unknown key\nb: missing"
        assert error.problems == ["a: unknown key", "b: missing"]


def test_errors_that_a_person_can_act_on_have_one_base():
    assert issubclass(ConfigError, DupscopeError)
    assert issubclass(ClusterError, DupscopeError)
