from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dupscope.fingerprint.paths import ODD, Wanted, compile_paths


def read(document: bytes, **fields: Wanted) -> Any:
    decode, get = compile_paths({tuple(name.split("__")): wanted for name, wanted in fields.items()})
    return get(decode(document))


class TestCompilePaths:
    """Only the fields that are asked for are read, wherever they are."""

    def test_one_field_comes_as_it_is(self) -> None:
        assert read(b'{"a": 1, "b": 2}', b=Wanted(int)) == 2

    def test_several_come_in_the_order_of_the_question(self) -> None:
        document = b'{"a": {"c": 3, "b": {"d": 4}}, "e": 5}'
        assert read(document, e=Wanted(int), a__b__d=Wanted(int), a__c=Wanted(int)) == (5, 4, 3)

    def test_a_default_stands_in_at_any_depth(self) -> None:
        wanted = Wanted(int | None, None)
        assert read(b"{}", a=wanted, b__c=wanted, b__d__e=wanted) == (None, None, None)
        assert read(b'{"b": {"d": {"e": 1}}}', b__c=wanted, b__d__e=wanted) == (None, 1)

    @pytest.mark.parametrize(
        "document",
        [b"{}", b'{"a": {}}', b'{"a": null}', b'{"a": 1}', b'{"a": {"b": "x"}}', b"[", b"", b'{"\xff": 1}'],
    )
    def test_what_does_not_fit_is_refused(self, document: bytes) -> None:
        with pytest.raises(ODD):
            read(document, a__b=Wanted(int))

    def test_the_last_of_a_repeated_name_counts(self) -> None:
        assert read(b'{"a": 1, "a": 2}', a=Wanted(int)) == 2
        assert read(b'{"a": {"b": 1}, "a": {"b": 2}}', a__b=Wanted(int)) == 2

    def test_names_may_be_anything(self) -> None:
        decode, get = compile_paths({("class", "ü-0 x"): Wanted(str), ("f0",): Wanted(msgspec.Raw)})
        text, raw = get(decode('{"class": {"ü-0 x": "y"}, "f0":  1.50 }'.encode()))
        assert (text, bytes(raw)) == ("y", b"1.50")

    def test_invalid_text_elsewhere_does_not_matter(self) -> None:
        assert read(b'{"x": "\xff", "a": 1}', a=Wanted(int)) == 1
