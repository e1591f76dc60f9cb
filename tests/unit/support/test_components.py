"""A missing component is loud everywhere and fatal where the decision falls."""

from __future__ import annotations

import pytest

from support import components


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch):
    monkeypatch.setenv("PATH", "")
    before = components.missing.copy()
    components.missing.clear()
    yield
    components.missing.clear()
    components.missing.update(before)


class TestRequire:
    def test_a_missing_component_skips_on_a_desk(self, monkeypatch):
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="java is not installed"):
            components.require("java")

    def test_a_missing_component_fails_under_ci(self, monkeypatch):
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="compulsory under CI=true"):
            components.require("java")

    def test_one_that_was_tried_in_vain_fails_under_ci(self, monkeypatch):
        """It may be installed and yet of no use to this user."""
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match=r"may not mount.*compulsory under CI=true"):
            components.lack("mount", "this user may not mount a file system")


class TestSummary:
    def test_it_names_each_part_that_did_not_run_once(self, monkeypatch):
        monkeypatch.delenv("CI", raising=False)
        for _ in range(2):
            with pytest.raises(pytest.skip.Exception):
                components.require("java")
        (line,) = components.summary()
        assert line.startswith("NOT RUN without java: real Kafka clusters")

    def test_it_is_empty_when_nothing_was_missed(self):
        assert components.summary() == []
