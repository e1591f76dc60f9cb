from __future__ import annotations

from dupscope.audit.reasons import InvalidLineError, InvalidReason


class TestInvalidReason:
    """The reasons are a closed set: metrics have a series for each."""

    def test_all(self) -> None:
        assert sorted(InvalidReason) == [
            "ambiguous_cluster",
            "bad_field",
            "bad_key",
            "bad_position",
            "bad_shipment",
            "bad_time",
            "duplicate_keys",
            "foreign_group",
            "lost",
            "no_key",
            "no_time",
            "not_json",
            "oversize",
            "rotated",
            "unknown_topic",
            "unreadable",
        ]


class TestInvalidLineError:
    """The error says the reason and nothing else."""

    def test_text(self) -> None:
        error = InvalidLineError(InvalidReason.BAD_KEY)
        assert (str(error), error.reason) == ("bad_key", InvalidReason.BAD_KEY)
