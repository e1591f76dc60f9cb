from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from dupscope.fingerprint.propose import Verdict, examine, percent, propose
from dupscope.fingerprint.settings import KeySpec

PAYMENT_ID = KeySpec("json", ("payment_id",))


@dataclass
class Record:
    value: bytes | None
    key: bytes | None = None
    headers: list = field(default_factory=list)


def _records(*documents, key=None):
    return [Record(json.dumps(each).encode(), key and str(each[key]).encode()) for each in documents]


def _payment(number, sent=0, **more):
    """A payment by its number, sent for the `sent`th time."""
    document = {"payment_id": f"p-{number}", "customer_id": f"c-{number % 7}", "amount": number * 31 % 50}
    return document | {"sent_at": f"2026-11-23T10:00:{number % 60:02}.{sent:03}Z"} | more


def _by_label(proposal):
    return {"+".join(each.spec.paths) or each.spec.kind: each for each in proposal.candidates}


class TestPropose:
    def test_an_id_whose_repeats_carry_the_same_payload_names_one_fact(self):
        documents = [_payment(number) for number in range(100)] + [_payment(7), _payment(8)]

        proposal = propose("payments", _records(*documents))

        assert proposal.best.spec == PAYMENT_ID
        assert proposal.best.verdict is Verdict.NAMES_FACT
        assert proposal.best.reason == "repeats carry the same payload, so it names one fact"
        assert (
            proposal.best.repeats.present,
            proposal.best.repeats.distinct,
            proposal.best.repeats.same,
            proposal.best.repeats.resent,
            proposal.best.repeats.other,
        ) == (102, 100, 2, 0, 0)

    def test_a_resend_with_a_new_time_is_still_the_same_fact(self):
        documents = [_payment(number) for number in range(100)] + [_payment(7, sent=9)]

        best = propose("payments", _records(*documents)).best

        assert best.spec == PAYMENT_ID
        assert best.reason == "repeats differ only in sent_at, so it names one fact"

    def test_an_id_that_is_new_in_each_sending_names_the_message(self):
        documents = [_payment(number, nonce=f"n-{number}") for number in range(100)]
        documents.append(_payment(7, nonce="n-again"))

        found = _by_label(propose("payments", _records(*documents)))

        assert found["nonce"].verdict is Verdict.NAMES_MESSAGE
        assert found["payment_id"].verdict is Verdict.NAMES_FACT

    def test_a_message_id_ranks_after_an_id_of_the_fact_even_before_the_first_resend(self):
        documents = [{"event_id": f"e-{number}", "payment_id": f"p-{number}"} for number in range(100)]

        proposal = propose("payments", _records(*documents))

        assert [each.spec.paths for each in proposal.candidates] == [("payment_id",), ("event_id",)]
        assert _by_label(proposal)["event_id"].verdict is Verdict.MAYBE_MESSAGE

    def test_a_time_is_no_key_however_unique(self):
        documents = [{"created": 1_700_000_000_000 + number, "n": number // 2} for number in range(100)]

        found = _by_label(propose("clicks", _records(*documents)))

        assert found["created"].verdict is Verdict.TIME

    def test_an_id_that_is_too_coarse_is_joined_with_a_field_of_few_values(self):
        documents = [
            {"order_id": number, "type": kind, "total": number * 3}
            for number in range(50)
            for kind in ("created", "paid", "shipped")
        ]

        proposal = propose("orders", _records(*documents, *documents[:3], key="order_id"))

        assert proposal.best.spec == KeySpec("json", ("order_id", "type"))
        assert proposal.best.verdict is Verdict.NAMES_FACT
        assert _by_label(proposal)["order_id"].verdict is Verdict.COARSE
        assert _by_label(proposal)["kafka_key"].reason == "holds the same as order_id"

    def test_what_half_of_the_records_lack_is_no_key(self):
        documents = [{"a": number} for number in range(30)]
        documents += [{"a": number, "refund_id": number} for number in range(10)]

        found = _by_label(propose("refunds", _records(*documents)))

        assert found["refund_id"].reason == "only 25% of the records have it"
        assert found["refund_id"].verdict is Verdict.SPARSE

    def test_where_values_are_not_json_the_kafka_key_and_headers_remain(self):
        records = [
            Record(b"\x00\x01%d" % number, b"%d" % number, [("id", b"%d" % (number // 2))])
            for number in range(40)
        ]

        proposal = propose("binary", records)

        assert proposal.undecodable == 40
        assert proposal.best.spec == KeySpec("kafka_key")
        assert {"kafka_key", "header"} == {each.spec.kind for each in proposal.candidates}

    def test_a_schema_registrys_prefix_before_json_is_passed_over(self):
        records = [Record(b"\0\0\0\0\x07" + json.dumps(_payment(number)).encode()) for number in range(20)]

        assert propose("payments", records).best.spec == PAYMENT_ID

    def test_nested_fields_are_dotted_and_deeper_ones_left_alone(self):
        documents = [{"a": {"b": {"id": number, "c": {"id": number}}}} for number in range(20)]

        assert {("a.b.id",)} == {each.spec.paths for each in propose("t", _records(*documents)).candidates}

    @pytest.mark.parametrize(
        "values", [[], [None] * 20, [b"null"] * 20, [b"[1]"] * 20, [b"\xff"] * 20, [b"{"] * 20, [b""] * 20]
    )
    def test_nothing_usable_gives_no_candidate(self, values):
        proposal = propose("t", [Record(value) for value in values])

        assert proposal.best is None
        assert proposal.records == len(values)

    def test_no_value_of_a_record_is_in_what_it_says(self):
        documents = [_payment(number) for number in range(50)] + [_payment(3, sent=5)]

        assert "p-3" not in repr(propose("payments", _records(*documents)))


class TestExamine:
    def test_a_coarse_key_gets_the_path_to_add(self):
        documents = [{"id": number, "kind": kind} for number in range(30) for kind in "ab"]

        repeats, finer = examine(_records(*documents), KeySpec("json", ("id",)))

        assert repeats.other == 30
        assert finer == KeySpec("json", ("id", "kind"))

    def test_resends_are_told_from_other_facts(self):
        documents = [_payment(number) for number in range(30)] + [_payment(3, sent=5)]

        repeats, finer = examine(_records(*documents), PAYMENT_ID)

        assert (repeats.resent, repeats.other, repeats.changing) == (1, 0, ("sent_at",))
        assert finer is None

    def test_a_path_that_no_record_has_repeats_nothing(self):
        repeats, finer = examine(_records(_payment(1)), KeySpec("json", ("payment_id", "nowhere")))

        assert (repeats.present, finer) == (0, None)


class TestPercent:
    @pytest.mark.parametrize(
        ("share", "text"),
        [(1, "100%"), (0, "0%"), (0.998, "99.8%"), (0.99999, "99.99%"), (0.018, "1.8%"), (0.0005, "0.05%")],
    )
    def test_less_than_all_is_never_shown_as_all(self, share, text):
        assert percent(share) == text
