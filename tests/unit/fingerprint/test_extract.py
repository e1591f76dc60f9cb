from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.fingerprint.canonical import canonical, octets_field, text_field, verbatim_field
from dupscope.fingerprint.extract import KeyReader, Source, key_reader, read_keys
from dupscope.fingerprint.settings import KeySpec
from dupscope.fingerprint.unkeyed import Unkeyed

ID = key_reader(KeySpec("json", ("id",)))
NESTED = key_reader(KeySpec("json", ("a.b", "c")))
OCTETS = key_reader(KeySpec("kafka_key"))
LIMIT = 1_000

scalars = st.one_of(st.text(max_size=8), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
documents = st.one_of(
    st.binary(max_size=12),
    st.none(),
    st.builds(lambda key: json.dumps({"id": key}).encode(), st.one_of(scalars, st.none(), st.just([]))),
    st.builds(lambda key: b"\0\0\0\0\7" + json.dumps({"x": 1, "id": key}).encode(), scalars),
    st.sampled_from(
        [b"{}", b'{"id":' + b" " * LIMIT + b"1}", b'{"id":"\xff"}', b'{"id":-0}', b'{"id":true}']
    ),
)


def forms(reader: KeyReader, column: list[Source]) -> list[bytes | None]:
    """Per entry the canonical form, as it lies in the messages, or None."""
    keys = read_keys(reader, column, LIMIT)
    words = iter(zip(keys.forms.starts.tolist(), keys.forms.counts.tolist(), strict=True))
    found: list[bytes | None] = []
    for keyed in keys.keyed.tolist():
        if not keyed:
            found.append(None)
            continue
        start, count = next(words)
        octets = keys.forms.flat[start : start + count].tobytes()
        length = octets[-1] + 256 * ((len(octets) - 1 - octets[-1]) // 256)
        found.append(octets[:length])
    assert next(words, None) is None
    return found


def reasons(reader: KeyReader, column: list[Source]) -> Counter[str]:
    return read_keys(reader, column, LIMIT).unkeyed


class TestWholeAndSingle:
    """What stands beside an entry does not change its key."""

    @settings(max_examples=300, deadline=None)
    @given(st.lists(documents, max_size=8))
    def test_json(self, column: list[Source]) -> None:
        alone = [forms(ID, [document])[0] for document in column]
        assert forms(ID, column) == alone
        assert sum(reasons(ID, column).values()) == alone.count(None)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(scalars, scalars), max_size=6), st.booleans())
    def test_composite(self, keys: list[tuple[object, object]], prefixed: bool) -> None:
        prefix = b"\0\0\0\1\0" if prefixed else b""
        column: list[Source] = [prefix + json.dumps({"c": c, "a": {"b": b}}).encode() for b, c in keys]
        assert forms(NESTED, column) == [forms(NESTED, [document])[0] for document in column]

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.one_of(st.none(), st.binary(max_size=20)), max_size=8))
    def test_octets(self, column: list[Source]) -> None:
        expected = [canonical([octets_field(o)]) if isinstance(o, bytes) else None for o in column]
        assert forms(OCTETS, column) == expected


class TestJson:
    """A key is a scalar at its path, taken as it is written."""

    def test_text_and_integers_in_one_column(self) -> None:
        column: list[Source] = [b'{"id": 42}', b'{"id": "42"}', b'{"id": 42.0}', b'{"id": -0}']
        text = canonical([text_field(b"42")])
        zero = canonical([text_field(b"0")])
        assert forms(ID, column) == [text, text, canonical([verbatim_field(b"42.0")]), zero]
        assert forms(ID, column[:2]) == [text, text]
        assert forms(ID, column[3:]) == [zero]

    def test_integers_of_any_size(self) -> None:
        digits = b"9" * 900
        assert forms(ID, [b'{"id":' + digits + b"}"]) == [canonical([text_field(digits)])]

    def test_fields_come_in_the_order_of_the_paths(self) -> None:
        assert forms(NESTED, [b'{"c": 1, "a": {"b": "x"}}']) == [
            canonical([text_field(b"x"), text_field(b"1")])
        ]

    def test_the_last_of_a_repeated_name_counts(self) -> None:
        column: list[Source] = [b'{"id": "a", "id": "b"}', b'{"id": [], "id": "b"}']
        assert forms(ID, column) == [canonical([text_field(b"b")])] * 2
        assert reasons(ID, [b'{"id": "a", "id": null}']) == {"null_key": 1}

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (None, Unkeyed.NULL_KEY),
            (b'{"id": null}', Unkeyed.NULL_KEY),
            (b"{}", Unkeyed.MISSING_PATH),
            (b"[1]", Unkeyed.MISSING_PATH),
            (b"null", Unkeyed.MISSING_PATH),
            (b'"id"', Unkeyed.MISSING_PATH),
            (b"", Unkeyed.UNDECODABLE),
            (b"{", Unkeyed.UNDECODABLE),
            (b'{"id": 1} x', Unkeyed.UNDECODABLE),
            (b'\xef\xbb\xbf{"id": 1}', Unkeyed.UNDECODABLE),
            (b'{"id": "\xff"}', Unkeyed.UNDECODABLE),
            (b'{"id": NaN}', Unkeyed.UNDECODABLE),
            (b"\0\0\0\0", Unkeyed.UNDECODABLE),
            (b"[" * 900, Unkeyed.UNDECODABLE),
            (b"[1]]", Unkeyed.UNDECODABLE),
            (b'{"id": {}}', Unkeyed.NOT_SCALAR),
            (b'{"id": ["a"]}', Unkeyed.NOT_SCALAR),
            (b'{"id": "a"}' + b" " * LIMIT, Unkeyed.OVERSIZE),
        ],
    )
    def test_refused(self, document: bytes | None, reason: Unkeyed) -> None:
        assert reasons(ID, [b'{"id": "a"}', document]) == {reason.value: 1}
        assert reasons(ID, [document]) == {reason.value: 1}

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (b'{"c": 1, "a": {}}', Unkeyed.MISSING_PATH),
            (b'{"c": 1, "a": null}', Unkeyed.MISSING_PATH),
            (b'{"c": 1, "a": [{"b": 1}]}', Unkeyed.MISSING_PATH),
            (b'{"c": null, "a": {"b": 1}}', Unkeyed.NULL_KEY),
        ],
    )
    def test_every_field_must_be_there(self, document: bytes, reason: Unkeyed) -> None:
        assert reasons(NESTED, [document]) == {reason.value: 1}

    def test_a_registry_prefix_is_no_part_of_the_document(self) -> None:
        plain, prefixed = b'{"id": "a"}', b'\0\0\0\1\7{"id": "a"}'
        expected = canonical([text_field(b"a")])
        for column in ([prefixed] * 3, [prefixed, plain], [plain, prefixed]):
            assert forms(ID, list(column)) == [expected] * len(column)

    def test_five_other_bytes_are_no_prefix(self) -> None:
        column: list[Source] = [b'\0\0\0\0\7{"id": "a"}', b'12345{"id": "a"}']
        assert reasons(ID, column) == {"undecodable": 1}


class TestAbsent:
    """An entry that is not there is counted by its own reason."""

    def test_reasons(self) -> None:
        column: list[Source] = [None, b"a", Unkeyed.MISSING_PATH, None, b"\xff"]
        assert reasons(OCTETS, column) == {"null_key": 2, "missing_path": 1}
        assert forms(OCTETS, column)[1:4] == [canonical([text_field(b"a")]), None, None]

    def test_nothing_at_all(self) -> None:
        assert forms(OCTETS, []) == forms(ID, []) == forms(NESTED, []) == []
        assert forms(ID, [None]) == [None]
