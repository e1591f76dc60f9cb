from __future__ import annotations

import pytest

from dupscope.fingerprint.canonical import FieldType
from dupscope.fingerprint.scalar import scalar_field
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError


class TestScalarField:
    """What is written decides which keys are equal; numbers are never read as numbers."""

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            (b'"42"', b"42"),
            (b"42", b"42"),
            (b"-7", b"-7"),
            (b"0", b"0"),
            (b"-0", b"0"),
            (b"9" * 5_000, b"9" * 5_000),
            (b'""', b""),
            (b'"\\u00fc"', "ü".encode()),
            (b'"a\\u0000"', b"a\0"),
            (b'"true"', b"true"),
            (b'"1.5"', b"1.5"),
        ],
    )
    def test_text_and_integers(self, written: bytes, text: bytes) -> None:
        assert scalar_field(written) == (FieldType.TEXT, text)

    @pytest.mark.parametrize("written", [b"42.0", b"42.00", b"1e2", b"1E2", b"-0.0", b"true", b"false"])
    def test_others_are_taken_as_written(self, written: bytes) -> None:
        assert scalar_field(written) == (FieldType.VERBATIM, written)

    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            (b"null", Unkeyed.NULL_KEY),
            (b"{}", Unkeyed.NOT_SCALAR),
            (b"[1]", Unkeyed.NOT_SCALAR),
            (b'"\xff"', Unkeyed.UNDECODABLE),
            (b'"\\ud800"', Unkeyed.UNDECODABLE),
            (b'"' + b"x" * 70_000 + b'"', Unkeyed.OVERSIZE),
        ],
    )
    def test_refused(self, written: bytes, reason: Unkeyed) -> None:
        with pytest.raises(UnkeyedError) as caught:
            scalar_field(written)
        assert caught.value.reason is reason
