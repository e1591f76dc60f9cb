from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dupscope.app.demo.lists import append, count, read, settings_of


@dataclass(frozen=True)
class Shape:
    topic: str
    records: int


class TestSettingsOf:
    def test_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first argument is the settings as JSON."""
        monkeypatch.setattr("sys.argv", ["program", '{"topic": "t", "records": 3}'])
        assert settings_of(Shape) == Shape("t", 3)


class TestList:
    def test_round_trip(self, tmp_path: Path) -> None:
        """What was appended is on disk at once."""
        with (tmp_path / "list").open("a") as file:
            append(file, {"offset": 1})
            append(file, {"offset": 2})
            assert read(tmp_path / "list") == [{"offset": 1}, {"offset": 2}]
            assert count(tmp_path / "list") == 2

    def test_torn_line(self, tmp_path: Path) -> None:
        """A line that is not whole does not count yet."""
        (tmp_path / "list").write_text('{"offset": 1}\n{"off')
        assert read(tmp_path / "list") == [{"offset": 1}]
        assert count(tmp_path / "list") == 1

    def test_absent(self, tmp_path: Path) -> None:
        """No file is an empty list."""
        assert count(tmp_path / "list") == 0
