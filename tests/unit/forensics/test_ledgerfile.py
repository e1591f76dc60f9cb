from __future__ import annotations

import json
from pathlib import Path

import pytest

from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.model.errors import ConfigError


class TestLedgerFile:
    def test_lines(self, tmp_path: Path):
        """One JSON object a line, in the order written."""
        path = tmp_path / "ledger.jsonl"
        file = LedgerFile(path)
        file.write([{"topic": "payments", "missing": 1}])
        file.write([])
        file.write([{"topic": "grüße"}])
        file.close()
        lines = path.read_text("utf-8").splitlines()
        assert [json.loads(line) for line in lines] == [
            {"topic": "payments", "missing": 1},
            {"topic": "grüße"},
        ]

    def test_replaces(self, tmp_path: Path):
        """A file of an earlier run is replaced, even when there is nothing to write."""
        path = tmp_path / "ledger.jsonl"
        path.write_text("old\n")
        LedgerFile(path).close()
        assert path.read_text() == ""

    def test_no_path(self):
        """Without a path nothing is written, nor are lines made."""
        file = LedgerFile(None)
        lines = iter([{"never": "asked for"}])
        file.write(lines)
        file.close()
        assert next(lines) == {"never": "asked for"}

    def test_cannot_be_written(self, tmp_path: Path):
        """The error names the option, the path and the reason."""
        with pytest.raises(ConfigError) as caught:
            LedgerFile(tmp_path / "absent" / "ledger.jsonl")
        assert caught.value.problems == [
            f"--ledger {tmp_path}/absent/ledger.jsonl: cannot be written: No such file or directory"
        ]

    def test_closed_twice(self, tmp_path: Path):
        """Closing again does nothing."""
        file = LedgerFile(tmp_path / "ledger.jsonl")
        file.close()
        file.close()
