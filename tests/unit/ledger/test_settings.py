from __future__ import annotations

from dupscope.ledger.settings import LedgerSettings


class TestDefaults:
    def test_they_are_those_of_the_design(self):
        settings = LedgerSettings()
        assert settings.window_ms == 24 * 3_600_000
        assert settings.margin_ms == 600_000
        assert (settings.memory_bytes, settings.case_limit) == (1 << 30, 1000)
