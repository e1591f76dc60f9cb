from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence

from dupscope.app.verify_report import DIFFERENCES_SHOWN, Verified, print_json, print_text
from dupscope.forensics.comparison import Comparison, LeftOut, Missing
from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Position

WHERE = Position("dr-id", "topic-id", "primary.payments", 1, 42)
MISSING = Missing("f00", Layer.MIRROR, "to-dr", WHERE, None)
FALSE = Finding(
    id="f11",
    pipeline="payments",
    layer=Layer.CONSUME,
    stage="charger",
    topic="payments",
    kind=Kind.IDENTICAL,
    position=None,
    first=WHERE,
    fingerprint="ab" * 16,
    detected_at=0.0,
    timestamp=0.0,
    ordinal=2,
)


def verified(*unread: str, **comparison: object) -> Verified:
    known = {"sampled": 1002, "compared": 1000, "expected": 40, **comparison}
    return Verified("payments", 7, Comparison(**known), unread)


def text(each: Sequence[Verified]) -> list[str]:
    out = io.StringIO()
    print_text(each, out)
    return out.getvalue().splitlines()


def plain(*each: Verified) -> dict:
    out = io.StringIO()
    print_json(each, out)
    return json.loads(out.getvalue())


class TestText:
    def test_equal(self):
        assert text([verified(left_out=Counter({LeftOut.NOT_READ_YET: 2}))]) == [
            "payments: 1,002 keys sampled (seed 7), 1,000 compared",
            "  left out        2  not_read_yet: more of it was appended than the detector had read",
            "  findings  40 expected, 40 found, 0 missing, 0 false",
            "payments: equal",
        ]

    def test_different(self):
        assert text([verified(missing=[MISSING], false=[FALSE])])[1:] == [
            "  findings  40 expected, 39 found, 1 missing, 1 false",
            "  missing  mirror (to-dr)  primary.payments[1]@42  finding f00",
            "  false    consume (charger)  primary.payments[1]@42, effect 2  finding f11",
            "payments: NOT EQUAL",
        ]

    def test_a_sink_that_was_left_out(self):
        lines = text([verified("charger")])

        assert lines[1] == (
            "  left out     sink  charger: its audit log cannot be read again from its beginning"
        )

    def test_differences_are_many(self):
        lines = text([verified(missing=[MISSING] * (DIFFERENCES_SHOWN + 1500))])

        assert lines[-2:] == ["  … and 1,500 more (--json lists all)", "payments: NOT EQUAL"]
        assert len(lines) == DIFFERENCES_SHOWN + 4

    def test_pipelines_are_set_apart(self):
        assert text([verified(), verified()]).count("") == 1

    def test_nothing_compared_is_not_equal(self):
        assert text([verified(compared=0)])[-1] == "payments: nothing could be compared"
        assert not verified(compared=0).is_equal


class TestJson:
    def test_is_one_object(self):
        shown = plain(verified("charger", missing=[MISSING], left_out=Counter({LeftOut.GONE: 3})), verified())

        assert shown["equal"] is False
        first, second = shown["pipelines"]
        assert (first["equal"], second["equal"]) == (False, True)
        assert (first["keys_sampled"], first["keys_compared"], first["keys_left_out"]) == (
            1002,
            1000,
            {"gone": 3},
        )
        assert (first["findings_expected"], first["findings_found"]) == (40, 39)
        assert (first["seed"], first["sinks_left_out"], first["false"]) == (7, ["charger"], [])

    def test_a_difference_has_its_position_and_its_id_and_no_fingerprint(self):
        (shown,) = plain(verified(false=[FALSE]))["pipelines"][0]["false"]

        assert shown == {
            "id": "f11",
            "layer": "consume",
            "stage": "charger",
            "cluster_id": "dr-id",
            "topic_id": "topic-id",
            "physical_topic": "primary.payments",
            "partition": 1,
            "offset": 42,
            "ordinal": 2,
        }
