from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dupscope.audit.line import Effect, LineReader
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.fingerprint.canonical import text_field, verbatim_field
from dupscope.fingerprint.settings import KeySpec

BY_ID = KeySpec("json", ("payment_id",))
WHOLE = {
    "key": "p-17",
    "cluster": "dr",
    "topic": "primary.payments",
    "partition": 3,
    "offset": 42,
    "group": "charger",
    "member": "charger-0",
    "at": "2026-11-23T10:00:00Z",
    "effect_id": "ch_9",
    "outcome": "succeeded",
}
EXPECTED = Effect((text_field(b"p-17"),), "dr", "primary.payments", 3, 42, 1_795_428_000_000, b"ch_9")
reader = LineReader(AuditSettings(FileSource("a.jsonl"), group="charger"), BY_ID)


def line(**changes: Any) -> bytes:
    """A whole line with some fields changed; `...` leaves a field out."""
    return json.dumps({name: value for name, value in (WHOLE | changes).items() if value is not ...}).encode()


def read(octets: bytes) -> Effect:
    effect = reader.read(octets)
    assert effect is not None
    return effect


def why(octets: bytes) -> InvalidReason:
    with pytest.raises(InvalidLineError) as caught:
        reader.read(octets)
    return caught.value.reason


class TestEffects:
    """A line says which record was acted on, when, and by what effect."""

    def test_whole(self) -> None:
        assert read(line()) == EXPECTED

    def test_key_alone_with_a_time(self) -> None:
        assert read(b'{"key": "p-17", "at": 1795428000}') == Effect(
            (text_field(b"p-17"),), None, None, None, None, 1_795_428_000_000, None
        )

    def test_null_is_absent(self) -> None:
        effect = read(line(cluster=None, group=None, outcome=None, effect_id=None, at=None))
        assert (effect.cluster, effect.at, effect.effect_id) == (None, 0, None)

    def test_an_integer_is_its_text(self) -> None:
        assert read(line(key=17, effect_id=9)) == read(line(key="17", effect_id="9"))

    @pytest.mark.parametrize("key", [17.0, True])
    def test_other_scalars_are_as_written(self, key: object) -> None:
        written = json.dumps(key).encode()
        assert read(line(key=key)).key == (verbatim_field(written),)

    @pytest.mark.parametrize("frame", [b"\xef\xbb\xbf%b", b"%b\r", b" \t%b "])
    def test_byte_order_mark_and_carriage_return_do_not_matter(self, frame: bytes) -> None:
        assert read(frame % line()) == EXPECTED

    def test_unknown_fields_do_not_matter(self) -> None:
        assert read(line(member=7, more={"x": [1]})) == EXPECTED
        assert read(b'{"note": "\xff", "key": "a", "at": 1}').at == 1_000

    @pytest.mark.parametrize("partition", [..., None])
    def test_time_may_be_absent_only_with_a_position(self, partition: Any) -> None:
        assert read(line(at=...)).at == 0
        assert why(line(at=..., partition=partition, offset=partition)) is InvalidReason.NO_TIME


class TestOutcome:
    """Only what happened, or may have happened, is an effect."""

    @pytest.mark.parametrize("outcome", ["succeeded", "unknown", None, ...])
    def test_effect(self, outcome: Any) -> None:
        assert read(line(outcome=outcome)) == EXPECTED

    @pytest.mark.parametrize("outcome", ["failed", "skipped", "", "SUCCEEDED"])
    def test_no_effect(self, outcome: str) -> None:
        assert reader.read(line(outcome=outcome)) is None

    def test_what_did_not_happen_needs_no_key(self) -> None:
        assert reader.read(b'{"outcome": "failed"}') is None


class TestGroup:
    """Lines of another group are not the sink's, if the sink says which group it is."""

    def test_foreign(self) -> None:
        assert why(line(group="refunder")) is InvalidReason.FOREIGN_GROUP
        assert why(b'{"group": "refunder"}') is InvalidReason.FOREIGN_GROUP

    def test_a_line_without_group_is_the_sinks(self) -> None:
        assert read(line(group=...)) == EXPECTED

    def test_a_sink_without_group_takes_all(self) -> None:
        assert (
            LineReader(AuditSettings(FileSource("a.jsonl")), BY_ID).read(line(group="refunder")) == EXPECTED
        )


class TestInvalid:
    """What is wrong with a line has a name, and the line is not shown."""

    @pytest.mark.parametrize(
        ("octets", "reason"),
        [
            (b"x", InvalidReason.NOT_JSON),
            (b"[1]", InvalidReason.NOT_JSON),
            (b'"p-17"', InvalidReason.NOT_JSON),
            (line()[:-1], InvalidReason.NOT_JSON),
            (line() + line(), InvalidReason.NOT_JSON),
            (line() + b"\0", InvalidReason.NOT_JSON),
            (b"\0" * 8, InvalidReason.NOT_JSON),
            (b"[" * 5_000, InvalidReason.NOT_JSON),
            (line(key=...), InvalidReason.NO_KEY),
            (line(key=None), InvalidReason.NO_KEY),
            (line(key=["a", "b"]), InvalidReason.BAD_KEY),
            (b'{"key": "\xff", "at": 1}', InvalidReason.BAD_KEY),
            (line(key="x" * 70_000), InvalidReason.OVERSIZE),
            (line(at="2026-11-23T10:00:00"), InvalidReason.BAD_TIME),
            (line(at=True), InvalidReason.BAD_TIME),
            (line(at=-5), InvalidReason.BAD_TIME),
            (line(at=10**400), InvalidReason.BAD_TIME),
            (line(topic=7), InvalidReason.BAD_POSITION),
            (line(cluster=[]), InvalidReason.BAD_POSITION),
            (line(partition="3"), InvalidReason.BAD_POSITION),
            (line(offset=4.5), InvalidReason.BAD_POSITION),
            (line(group=7), InvalidReason.BAD_FIELD),
            (line(outcome=True), InvalidReason.BAD_FIELD),
            (line(effect_id={}), InvalidReason.BAD_FIELD),
        ],
    )
    def test_reason(self, octets: bytes, reason: InvalidReason) -> None:
        assert why(octets) is reason

    @given(st.one_of(st.binary(), st.recursive(st.none() | st.floats() | st.text(), st.lists)))
    def test_anything_else_never_gets_out(self, anything: Any) -> None:
        octets = anything if isinstance(anything, bytes) else line(key=anything, at=anything, offset=anything)
        assert anything is not None or why(octets) is InvalidReason.NO_KEY
        with suppress(InvalidLineError):
            reader.read(octets)

    def test_an_error_does_not_chain_one_that_shows_the_line(self) -> None:
        for octets in (b'{"key": "\xff", "at": 1}', line(at="noon"), line(offset=4.5), b"x", line(key=[])):
            with pytest.raises(InvalidLineError) as caught:
                reader.read(octets)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


class TestDuplicateKeys:
    """Of two values of one name nobody can say which was meant."""

    @pytest.mark.parametrize(
        "again", [b', "offset": 42}', b', "key": "p-18"}', b', "at": 1}', b', "at" : 1}']
    )
    def test_refused(self, again: bytes) -> None:
        assert why(line()[:-1] + again) == InvalidReason.DUPLICATE_KEYS

    def test_with_a_byte_order_mark(self) -> None:
        assert why(b"\xef\xbb\xbf" + line()[:-1] + b', "at": 1}') == InvalidReason.DUPLICATE_KEYS

    @pytest.mark.parametrize(
        "more",
        [
            {"note": {"key": 1, "at": 2}},
            {"note": ["key", "key"]},
            {"note": '"key": "key": '},
            {"key2": "key"},
        ],
    )
    def test_a_name_in_another_place_is_none(self, more: dict[str, Any]) -> None:
        """In another object, as a value, or within a text."""
        assert read(line(**more)) == EXPECTED

    def test_what_is_no_json_is_that(self) -> None:
        assert why(line()[:-1] + b', "at": 1') == InvalidReason.NOT_JSON
        assert why(b'{"key": ' * 50_000) == InvalidReason.NOT_JSON


class TestNames:
    """Every field can have another name, also inside an object."""

    renamed = LineReader(
        AuditSettings(
            FileSource("a.jsonl"),
            {"key": "payment.id", "at": "time", "offset": "from.offset", "topic": "from.t"},
        ),
        BY_ID,
    )

    def test_read(self) -> None:
        effect = self.renamed.read(
            b'{"payment": {"id": 7}, "time": 1, "from": {"offset": 5, "t": "payments"}, "partition": 0}'
        )
        assert effect == Effect((text_field(b"7"),), None, "payments", 0, 5, 1_000, None)

    def test_an_absent_object_is_an_absent_field(self) -> None:
        assert self.renamed.read(b'{"payment": {"id": 7}, "time": 1}') is not None
        with pytest.raises(InvalidLineError, match="no_key"):
            self.renamed.read(b'{"time": 1}')

    def test_composite(self) -> None:
        both = LineReader(AuditSettings(FileSource("a.jsonl")), KeySpec("json", ("order", "type")))
        for key in (["7", "paid"], {"type": "paid", "order": 7}):
            effect = both.read(line(key=key))
            assert effect is not None
            assert effect.key == (text_field(b"7"), text_field(b"paid"))
        with pytest.raises(InvalidLineError, match="bad_key"):
            both.read(line(key="7"))
        with pytest.raises(InvalidLineError, match="no_key"):
            both.read(line(key=...))
