from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.fingerprint.canonical import (
    MAX_FIELD_BYTES,
    Field,
    FieldType,
    canonical,
    canonical_texts,
    octets_field,
    text_field,
    verbatim_field,
)
from dupscope.fingerprint.siphash import pack_messages, siphash128, split_key
from dupscope.fingerprint.unkeyed import Unkeyed, UnkeyedError

KEY = split_key(bytes(range(16)))
fields = st.lists(st.tuples(st.sampled_from(FieldType), st.binary(max_size=30)), max_size=5)


def read_back(form: bytes) -> list[Field]:
    """The fields of a canonical form."""
    found = []
    while form:
        header = int.from_bytes(form[:8], "little")
        length = header >> 8
        found.append((FieldType(header & 0xFF), form[8 : 8 + length]))
        form = form[8 + length :]
    return found


class TestCanonical:
    """Different keys have different forms, whatever their fields hold."""

    @given(fields)
    def test_can_be_read_back(self, key: list[Field]) -> None:
        assert read_back(canonical(key)) == key

    def test_layout(self) -> None:
        assert canonical([(FieldType.TEXT, b"ab"), (FieldType.BINARY, b"\xff")]) == (
            b"\x01\x02\0\0\0\0\0\0ab" + b"\x03\x01\0\0\0\0\0\0\xff"
        )

    def test_concatenation_does_not_collide(self) -> None:
        assert canonical([text_field(b"ab"), text_field(b"c")]) != canonical(
            [text_field(b"a"), text_field(b"bc")]
        )

    def test_an_empty_text_is_a_field(self) -> None:
        assert canonical([text_field(b"")]) != canonical([])


class TestCanonicalTexts:
    """A column of texts has the digests that its texts have one by one."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.lists(st.binary(max_size=40), min_size=2, max_size=2), max_size=30), st.integers(1, 2))
    def test_equals_the_scalar_form(self, rows: list[list[bytes]], width: int) -> None:
        columns = [[row[index] for row in rows] for index in range(width)]
        scalar = pack_messages([canonical(map(text_field, key)) for key in zip(*columns, strict=True)])
        for whole, single in zip(
            siphash128(canonical_texts(columns), KEY), siphash128(scalar, KEY), strict=True
        ):
            assert whole.tolist() == single.tolist()

    @pytest.mark.parametrize("length", [0, 7, 8, 9, 239, 240, 247, 248, 255, 256, 257, 5_000])
    def test_lengths_at_the_edges(self, length: int) -> None:
        texts = [b"x" * length, b"", b"ab\0"]
        scalar = pack_messages([canonical([text_field(text)]) for text in texts])
        assert siphash128(canonical_texts([texts]), KEY)[1].tolist() == siphash128(scalar, KEY)[1].tolist()

    def test_zeros_at_the_end_count(self) -> None:
        first, _ = siphash128(canonical_texts([[b"a", b"a\0", b"a\0\0"]]), KEY)
        assert len(set(first.tolist())) == 3

    def test_too_long_a_text_is_refused(self) -> None:
        with pytest.raises(UnkeyedError, match="oversize"):
            canonical_texts([[b"a", b"x" * (MAX_FIELD_BYTES + 1)]])


class TestFields:
    """A field is bounded, and says what its bytes are."""

    def test_octets_are_text_where_they_can_be(self) -> None:
        assert octets_field("ü".encode()) == (FieldType.TEXT, b"\xc3\xbc")
        assert octets_field(b"\xfc") == (FieldType.BINARY, b"\xfc")
        assert octets_field(b"\xed\xa0\x80") == (FieldType.BINARY, b"\xed\xa0\x80")

    @pytest.mark.parametrize("make", [text_field, verbatim_field, octets_field])
    def test_length(self, make: type[Field]) -> None:
        make(b"1" * MAX_FIELD_BYTES)
        with pytest.raises(UnkeyedError) as caught:
            make(b"1" * (MAX_FIELD_BYTES + 1))
        assert caught.value.reason is Unkeyed.OVERSIZE
