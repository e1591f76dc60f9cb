from __future__ import annotations

from pathlib import Path

import pytest

from dupscope.config.problems import Problems
from dupscope.config.secrets import Surroundings, resolve
from dupscope.config.values import PropertySpec


class TestResolve:
    def test_a_files_last_newline_is_no_part_of_the_secret(self, tmp_path):
        (tmp_path / "password").write_text(" with spaces \n")

        assert _resolved(tmp_path, PropertySpec("password", "file")) == {"p": " with spaces "}

    @pytest.mark.parametrize(("content", "why"), [(b"\n", "is empty"), (b"\xff", "is not text")])
    def test_a_file_without_a_usable_secret_is_a_problem(self, tmp_path, content, why):
        (tmp_path / "password").write_bytes(content)
        problems = Problems("f")

        found = resolve(
            {"p": PropertySpec("password", "file")}, Surroundings(tmp_path, {}), "clusters.a", problems
        )

        assert found == {}
        with pytest.raises(Exception, match=rf"f: clusters\.a\.p: secret file .*/password {why}"):
            problems.raise_if_any()

    def test_an_absolute_path_stays(self, tmp_path):
        assert Path("/x") == Surroundings(tmp_path, {}).path("/x")


def _resolved(folder, spec):
    problems = Problems("f")
    found = resolve({"p": spec}, Surroundings(folder, {}), "clusters.a", problems)
    problems.raise_if_any()
    return found
