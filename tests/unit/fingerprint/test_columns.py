from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.fingerprint.canonical import Field, text_field, verbatim_field
from dupscope.fingerprint.columns import Fingerprinter, Fingerprints
from dupscope.fingerprint.settings import KeySpec

SECRET = bytes(range(16))
BY_ID = KeySpec("json", ("id",))
fingerprinter = Fingerprinter(SECRET, "payments", BY_ID, max_value_bytes=1_000)

values = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.builds(lambda key: json.dumps({"id": key}).encode(), st.one_of(st.text(max_size=9), st.integers())),
)
records = st.lists(st.tuples(st.one_of(st.none(), st.binary(max_size=9)), values), max_size=12)


def made(found: Fingerprints) -> list[tuple[Any, ...]]:
    columns = (found.fp_hi, found.fp_lo, found.content, found.keyed)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def of(*keys: Any, topic: str = "t", made_by: Fingerprinter = fingerprinter) -> list[tuple[int, int]]:
    """Fingerprints of documents with these ids."""
    documents = [json.dumps({"id": key}).encode() for key in keys]
    found = made_by.records(topic, [None] * len(keys), documents, None)
    assert found.keyed.all()
    return list(zip(found.fp_hi.tolist(), found.fp_lo.tolist(), strict=True))


class TestStability:
    """Fingerprints are stored, so they must not change from version to version."""

    def test_known_answers(self) -> None:
        ((hi, lo),) = of("p-17")
        assert f"{hi:016x}{lo:016x}" == "665047a2e9ae9799c3483fef8e6d1a57"
        content = fingerprinter.records("t", [b"k"], [b"v"], None).content
        assert f"{int(content[0]):016x}" == "ea3787a0e28b6251"


class TestEquality:
    """Keys are equal when what they say is equal, and then only."""

    def test_an_integer_equals_its_digits(self) -> None:
        assert of(42)[0] == of("42")[0]
        assert of(42, "x", "42")[0] == of(42, "x", "42")[2]

    def test_a_fraction_equals_nothing_else(self) -> None:
        assert len(set(of(42, 42.0, "42.0", 42.5, True, "true"))) == 6

    def test_equal_keys_in_two_topics_differ(self) -> None:
        assert of("a", topic="t") != of("a", topic="u")

    def test_equal_keys_in_two_pipelines_differ(self) -> None:
        assert of("a") != of("a", made_by=Fingerprinter(SECRET, "refunds", BY_ID))

    def test_pipeline_and_topic_do_not_run_into_each_other(self) -> None:
        one, other = (Fingerprinter(SECRET, pipeline, BY_ID) for pipeline in ("ab", "a"))
        assert of("k", topic="c", made_by=one) != of("k", topic="bc", made_by=other)

    def test_depends_on_the_secret(self) -> None:
        assert of("a") != of("a", made_by=Fingerprinter(bytes(16), "payments", BY_ID))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.text(max_size=30), unique=True, max_size=30))
    def test_different_texts_differ(self, keys: list[str]) -> None:
        assert len(set(of(*keys))) == len(keys)


class TestRecords:
    """Columns come back as long as the batch, whatever the bytes are."""

    @settings(max_examples=200, deadline=None)
    @given(records, st.data())
    def test_splitting_a_batch_changes_nothing(self, batch: list[Any], data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(batch)))
        parts = [
            fingerprinter.records("t", [key for key, _ in part], [value for _, value in part], None)
            for part in (batch, batch[:at], batch[at:])
        ]
        assert made(parts[0]) == made(parts[1]) + made(parts[2])
        assert parts[0].unkeyed == parts[1].unkeyed + parts[2].unkeyed

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.tuples(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()))),
        st.sampled_from(
            [BY_ID, KeySpec("json", ("a.b", "c")), KeySpec("kafka_key"), KeySpec("header", ("h",))]
        ),
    )
    def test_never_raises_for_arbitrary_bytes(self, batch: list[Any], spec: KeySpec) -> None:
        made_by = Fingerprinter(SECRET, "p", spec)
        keys, contents = [key for key, _ in batch], [value for _, value in batch]
        found = made_by.records("t", keys, contents, [[("h", key)] for key in keys])
        assert len(batch) == len(found.keyed) == sum(found.unkeyed.values()) + int(found.keyed.sum())

    def test_unkeyed_records_keep_their_place(self) -> None:
        batch = [b'{"id": 1}', None, b"{}", b'{"id": 2}', b'{"id": null}', b'{"id": 3}' + b" " * 1_000]
        found = fingerprinter.records("t", [b"k"] * 6, batch, None)
        assert found.keyed.tolist() == [True, False, False, True, False, False]
        assert found.unkeyed == {"null_key": 2, "missing_path": 1, "oversize": 1}
        assert list(zip(found.fp_hi.tolist(), found.fp_lo.tolist(), strict=True)) == [
            *of(1), (0, 0), (0, 0), *of(2), (0, 0), (0, 0),
        ]  # fmt: skip
        assert len(set(found.content.tolist())) == 6

    def test_no_records(self) -> None:
        assert made(fingerprinter.records("t", [], [], None)) == []

    def test_columns_have_the_types_of_a_batch(self) -> None:
        found = fingerprinter.records("t", [b"k"], [b'{"id": 1}'], None)
        columns = (found.fp_hi, found.fp_lo, found.content, found.keyed)
        assert [column.dtype for column in columns] == [np.uint64, np.uint64, np.uint64, np.bool_]


class TestKafkaKey:
    """The Kafka key is text where it is UTF-8, and no value is read."""

    def test_equals_the_same_text_in_a_document(self) -> None:
        by_key = Fingerprinter(SECRET, "payments", KeySpec("kafka_key"), max_value_bytes=1_000)
        found = by_key.records("t", [b"p-17", None, b"\xff"], [b"x" * 2_000, b"{}", None], None)
        assert found.keyed.tolist() == [True, False, True]
        assert (int(found.fp_hi[0]), int(found.fp_lo[0])) == of("p-17")[0]
        assert found.unkeyed == {"null_key": 1}


class TestHeader:
    """The last header of the name holds the key."""

    by_header = Fingerprinter(SECRET, "payments", KeySpec("header", ("id",)))

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            (None, "missing_path"),
            ([], "missing_path"),
            ([("ID", b"a")], "missing_path"),
            ([("id", None)], "null_key"),
            ([("id", b"a"), ("id", None)], "null_key"),
        ],
    )
    def test_absent(self, headers: Any, reason: str) -> None:
        found = self.by_header.records("t", [None, None], [None, None], [[("id", b"x")], headers])
        assert (found.keyed.tolist(), found.unkeyed) == ([True, False], {reason: 1})

    def test_present(self) -> None:
        found = self.by_header.records("t", [None], [None], [[("id", b"x"), ("id", b"a"), ("z", None)]])
        assert (int(found.fp_hi[0]), int(found.fp_lo[0])) == of("a")[0]

    def test_no_headers_at_all(self) -> None:
        assert self.by_header.records("t", [None], [None]).unkeyed == {"missing_path": 1}

    @pytest.mark.parametrize(("kind", "needs"), [("kafka_key", False), ("header", True), ("json", False)])
    def test_only_this_kind_needs_headers(self, kind: Any, needs: bool) -> None:
        spec = KeySpec(kind, () if kind == "kafka_key" else ("a",))
        assert Fingerprinter(SECRET, "p", spec).needs_headers is needs


class TestEffects:
    """An effect's key has the fingerprint of the record's key."""

    def test_equals_the_records_fingerprint(self) -> None:
        keys: list[list[Field]] = [[text_field(b"a")], [text_field(b"42")], [verbatim_field(b"42.0")]]
        first, second = fingerprinter.effects(["t", "u", "t"], keys)
        expected = [*of("a"), *of(42, topic="u"), *of(42.0)]
        assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected

    def test_composite(self) -> None:
        both = Fingerprinter(SECRET, "payments", KeySpec("json", ("order", "type")))
        found = both.records("t", [None], [b'{"type": "paid", "order": 7}'], None)
        first, second = both.effects(["t"], [(text_field(b"7"), text_field(b"paid"))])
        assert (found.fp_hi.tolist(), found.fp_lo.tolist()) == (first.tolist(), second.tolist())

    def test_none(self) -> None:
        first, second = fingerprinter.effects([], [])
        assert len(first) == len(second) == 0

    def test_ids(self) -> None:
        ids = fingerprinter.effect_ids([b"a", None, b"b", b"a"])
        assert ids.dtype == np.uint32
        assert ids[0] == ids[3] != ids[2]
        assert ids.tolist().count(0) == 1


class TestSecrecy:
    """Keys and the secret stay inside."""

    def test_nothing_of_a_record_is_kept(self) -> None:
        made_by = Fingerprinter(SECRET, "p", BY_ID)
        document = json.dumps({"id": "one customer"}).encode()
        count = sys.getrefcount(document)
        made_by.records("t", [document], [document], None)
        assert sys.getrefcount(document) == count
        assert "customer" not in repr(vars(made_by))

    def test_repr_does_not_show_the_secret(self) -> None:
        assert repr(SECRET)[2:-1] not in repr(fingerprinter)
