from __future__ import annotations

import pytest

from dupscope.audit.settings import FIELDS, AuditSettings, FileSource


class TestAuditSettings:
    """A field has our name unless the settings give it another one."""

    def test_names(self) -> None:
        settings = AuditSettings(FileSource("a.jsonl"), {"key": "payment.id", "at": r"log\.time"})
        assert settings.path_of("key") == ("payment", "id")
        assert settings.path_of("at") == ("log.time",)
        assert settings.path_of("topic") == ("topic",)

    def test_fields(self) -> None:
        assert len(FIELDS) == 10

    @pytest.mark.parametrize(
        ("names", "problem"),
        [
            ({"at": ""}, "the name for 'at' has an empty step"),
            ({"at": "a..b"}, "the name for 'at' has an empty step"),
            (
                {"at": "time", "outcome": "time"},
                "the name for 'at' is that of another field, or leads to one",
            ),
            ({"at": "key"}, "the name for 'key' is that of another field, or leads to one"),
            ({"key": "x", "at": "x.t"}, "the name for 'key' is that of another field, or leads to one"),
        ],
    )
    def test_refused(self, names: dict[str, str], problem: str) -> None:
        with pytest.raises(ValueError, match="the name for") as caught:
            AuditSettings(FileSource("a.jsonl"), names)
        assert str(caught.value) == problem
