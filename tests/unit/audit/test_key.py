from __future__ import annotations

import pytest

from dupscope.audit.key import KeyShape
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.fingerprint.canonical import FieldType, text_field, verbatim_field
from dupscope.fingerprint.settings import KeySpec

ONE = KeyShape(KeySpec("json", ("payment.id",)))
TWO = KeyShape(KeySpec("json", ("order.id", "type")))
OCTETS = KeyShape(KeySpec("kafka_key"))


class TestKeyShape:
    """A key in a line has the fields that the business key has."""

    @pytest.mark.parametrize(
        "written", [b'"7"', b"7", b'["7"]', b'{"payment": {"id": 7}}', b'{"payment.id": 7}']
    )
    def test_one_field(self, written: bytes) -> None:
        assert ONE.fields(written) == (text_field(b"7"),)

    @pytest.mark.parametrize(
        "written",
        [
            b'[7, "paid"]',
            b'["7", "paid"]',
            b'{"type": "paid", "order": {"id": 7}}',
            b'{"type": "paid", "order.id": 7, "x": []}',
        ],
    )
    def test_two_fields_in_the_order_of_the_specification(self, written: bytes) -> None:
        assert TWO.fields(written) == (text_field(b"7"), text_field(b"paid"))

    def test_scalars_as_they_are_written(self) -> None:
        assert TWO.fields(b"[1.50, true]") == (verbatim_field(b"1.50"), verbatim_field(b"true"))
        assert OCTETS.fields(b'"\\u00fc"') == ((FieldType.TEXT, "ü".encode()),)

    @pytest.mark.parametrize(
        ("shape", "written", "reason"),
        [
            (ONE, b"", InvalidReason.NO_KEY),
            (ONE, b"null", InvalidReason.NO_KEY),
            (TWO, b"null", InvalidReason.NO_KEY),
            (TWO, b'["a", null]', InvalidReason.NO_KEY),
            (TWO, b'{"order": {"id": null}, "type": "paid"}', InvalidReason.NO_KEY),
            (TWO, b'"a"', InvalidReason.BAD_KEY),
            (TWO, b'["a"]', InvalidReason.BAD_KEY),
            (TWO, b'["a", "b", "c"]', InvalidReason.BAD_KEY),
            (TWO, b'["a", []]', InvalidReason.BAD_KEY),
            (TWO, b"{}", InvalidReason.BAD_KEY),
            (ONE, b"[]", InvalidReason.BAD_KEY),
            (ONE, b'{"payment": {"id": {}}}', InvalidReason.BAD_KEY),
            (ONE, b'"\xff"', InvalidReason.BAD_KEY),
            (OCTETS, b'{"key": "a"}', InvalidReason.BAD_KEY),
            (ONE, b'"' + b"x" * 70_000 + b'"', InvalidReason.OVERSIZE),
        ],
    )
    def test_refused(self, shape: KeyShape, written: bytes, reason: InvalidReason) -> None:
        with pytest.raises(InvalidLineError) as caught:
            shape.fields(written)
        assert caught.value.reason is reason
