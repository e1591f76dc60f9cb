from __future__ import annotations

import pytest

from dupscope.app.identity import identity

SECRET = bytes(16)


class TestIdentity:
    @pytest.mark.parametrize(
        "change",
        [
            {"start": "2h"},
            {"team": "ledger"},
            {"sinks": {"charger": {"reads": ["to-dr"], "audit": {"file": "/elsewhere"}}}},
        ],
    )
    def test_stays(self, offline, change):
        """What decides only where the first start begins, or where a log lies, changes no state."""
        before = identity(offline.config(), "payments", SECRET)
        assert identity(offline.config(**change), "payments", SECRET) == before

    @pytest.mark.parametrize(
        "change",
        [
            {"key": {"json": ["other"]}},
            {"window": "2h"},
            {"margin": "1m"},
            {"mirrors": {}, "sinks": {}},
            {"redrive": {"headers": ["x-redrive"]}},
            {"source": {"cluster": "primary", "topics": ["orders"]}},
        ],
    )
    def test_changes(self, offline, change):
        """What the state rests on: the key, the stages, the topics, the window."""
        before = identity(offline.config(), "payments", SECRET)
        changed = (
            {"mirrors": {"to-dr": {"cluster": "dr", "topics": ["primary.orders"]}}}
            if "source" in change
            else {}
        )
        assert identity(offline.config(**change, **changed), "payments", SECRET) != before

    def test_a_table_on_another_host_is_the_same_table(self, offline):
        """Its database tells whether it is."""

        def of(**connection: str) -> str:
            audit = {"postgres": {"table": "charges", "connection": connection}}
            config = offline.config(sinks={"charger": {"reads": ["to-dr"], "audit": audit}})
            return identity(config, "payments", SECRET)

        assert of(host="a") == of(host="b", password="x") != identity(offline.config(), "payments", SECRET)

    def test_another_fingerprint_key(self, offline):
        config = offline.config()
        assert identity(config, "payments", SECRET) != identity(config, "payments", bytes(15) + b"x")
