from __future__ import annotations

from pathlib import Path

import yaml

from dupscope.app.demo.cast import Cast, positions
from dupscope.config.load import load


class TestCast:
    def test_configuration(self, cast: Cast, tmp_path: Path) -> None:
        """What dupscope is started with is a configuration without a problem."""
        file = tmp_path / "dupscope.yaml"
        file.write_text(yaml.safe_dump(cast.configuration()))
        assert [*load(file, {}).pipelines] == ["payments"]


class TestPositions:
    def test_different(self, tmp_path: Path) -> None:
        """A position that stands there twice counts once; no file has none."""
        file = tmp_path / "copied.jsonl"
        assert positions(file) == 0
        file.write_text('{"partition": 0, "offset": 1}\n' * 2 + '{"partition": 1, "offset": 1}\n')
        assert positions(file) == 2
