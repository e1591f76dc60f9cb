from __future__ import annotations

from pathlib import Path

from dupscope.store.resets import RESETS_FILE, ResetCount


class TestResetCount:
    def test_goes_on(self, tmp_path: Path):
        """From one process to the next."""
        count = ResetCount(tmp_path)
        assert count.value == 0
        count.increase()
        count.increase()
        assert ResetCount(tmp_path).value == 2

    def test_kept(self, tmp_path: Path):
        """The file is there although nothing was ever reset; it does not change by being kept."""
        count = ResetCount(tmp_path)
        assert not count.is_there
        count.keep()
        assert (count.is_there, ResetCount(tmp_path).value) == (True, 0)
        count.increase()
        count.keep()
        assert ResetCount(tmp_path).value == 1

    def test_unreadable(self, tmp_path: Path):
        """What is no number counts as none."""
        (tmp_path / RESETS_FILE).write_text("many")
        assert ResetCount(tmp_path).value == 0

    def test_unwritable(self, tmp_path: Path):
        """It is kept for as long as the process lives."""
        count = ResetCount(tmp_path / "absent")
        count.increase()
        assert count.value == 1
