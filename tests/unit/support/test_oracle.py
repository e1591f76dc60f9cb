"""The oracle, on lists small enough to judge by eye."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from support.dump import Dumped
from support.oracle import Effect, Flow, Truth, UnkeyedError, Where, business_key, judge

FLOW = Flow(
    key=("id",),
    mirrors={"to-dr": "source"},
    sinks={"charger": ("to-dr",)},
    logical={"primary.payments": "payments"},
)


def at(
    offset: int, *, timestamp: int = 1000, partition: int = 0, amount: int = 1, identity: object = "p-1"
) -> Dumped:
    value = json.dumps({"id": identity, "amount": amount}).encode()
    return Dumped("payments", partition, offset, timestamp, b"k", value)


def mirrored(copy: Dumped, offset: int, *, partition: int | None = None) -> Dumped:
    number = copy.partition if partition is None else partition
    return copy._replace(topic="primary.payments", offset=offset, partition=number)


def charge(offset: int, partition: int = 0, effect_id: str | None = None) -> Effect:
    return Effect(Where("to-dr", "primary.payments", partition, offset), effect_id)


def truth_of(source: list[Dumped], mirror: list[Dumped], effects: list[Effect] | None = None) -> Truth:
    return judge(FLOW, {"source": source, "to-dr": mirror}, {"charger": effects or []})


class TestBusinessKey:
    @pytest.mark.parametrize(
        ("one", "other", "equal"),
        [
            (b"17", b'"17"', True),
            (b"1.0", b'"1.0"', False),
            (b"1.0", b"1", False),
            (b"true", b'"true"', False),
        ],
    )
    def test_integers_equal_their_text_and_nothing_else_does(self, one, other, equal):
        first, second = (business_key(b'{"id": ' + part + b"}", ("id",)) for part in (one, other))
        assert equal == (first == second)

    def test_paths_reach_into_objects(self):
        assert business_key(b'{"a": {"b": "x"}, "c": 2}', ("a.b", "c")) == (("string", "x"), ("string", "2"))

    @pytest.mark.parametrize("value", [None, b"no json", b"{}", b'{"id": null}', b'{"id": [1]}', b"[]"])
    def test_what_has_no_key_is_refused(self, value):
        with pytest.raises(UnkeyedError):
            business_key(value, ("id",))


class TestProduce:
    def test_every_source_copy_but_the_first_in_log_order(self):
        later, first, other = at(0, timestamp=2000), at(1), at(0, partition=1, amount=9)
        truth = truth_of([later, first, other], [])
        assert {Where("source", "payments", 0, 0), Where("source", "payments", 1, 0)} == set(truth.extras)
        assert truth.duplicates == {
            ("produce", "source", "payments", "identical"): 1,
            ("produce", "source", "payments", "conflicting"): 1,
        }

    def test_another_key_is_no_duplicate(self):
        assert not truth_of([at(0), at(1, identity="p-2")], []).duplicates


class TestMirror:
    def test_excess_of_a_tag_is_a_duplicate_and_the_later_offset_is_it(self):
        copy = at(0)
        truth = truth_of([copy], [mirrored(copy, 3), mirrored(copy, 7)])
        assert Counter({Where("to-dr", "primary.payments", 0, 7): 1}) == truth.extras
        assert truth.duplicates == {("mirror", "to-dr", "payments", "identical"): 1}

    def test_two_equal_source_copies_make_two_downstream_copies_no_mirror_duplicate(self):
        copies = [at(0), at(1)]
        truth = truth_of(copies, [mirrored(copy, copy.offset) for copy in copies])
        assert truth.layer("mirror") == 0
        assert truth.layer("produce") == 1

    def test_the_same_partition_pairs_first(self):
        copies = [at(0), at(5, partition=1)]
        below = [
            mirrored(copies[1], 0, partition=0),
            mirrored(copies[1], 1, partition=1),
            mirrored(copies[0], 9),
        ]
        truth = truth_of(copies, below)
        assert Counter({Where("to-dr", "primary.payments", 0, 9): 1}) == truth.places("to-dr")

    def test_an_unknown_tag_takes_the_place_of_a_deficit(self):
        copies = [at(0), at(1, timestamp=1500)]
        rewritten = mirrored(copies[1], 1)._replace(timestamp=9999)
        truth = truth_of(copies, [mirrored(copies[0], 0), rewritten])
        assert truth.layer("mirror") == 0
        assert not +truth.deficit

    def test_an_unknown_tag_beyond_the_deficit_is_excess_and_may_conflict(self):
        copy = at(0)
        truth = truth_of([copy], [mirrored(copy, 0), mirrored(at(0, amount=5), 1)])
        assert truth.duplicates == {("mirror", "to-dr", "payments", "conflicting"): 1}

    def test_a_case_without_source_copy_is_unverified(self):
        truth = truth_of([], [mirrored(at(0), 0), mirrored(at(0), 1)])
        assert truth.unverified == {("mirror", "to-dr", "not_in_source"): 2}
        assert not truth.duplicates

    def test_a_chain_copies_the_extra_copy_without_making_another(self):
        flow = Flow(("id",), {"b": "source", "c": "b"})
        copy = at(0)
        truth = judge(flow, {"source": [copy], "b": [copy, at(1)], "c": [copy, at(1)]}, {})
        assert truth.duplicates == {("mirror", "b", "payments", "identical"): 1}

    def test_a_copy_that_the_mirror_has_gone_past_is_missing(self):
        lost, copied, waiting = at(0), at(1, identity="p-2"), at(2, identity="p-3")
        truth = truth_of([lost, copied, waiting], [mirrored(copied, 0)])
        assert (truth.missing["to-dr"], truth.deficit["to-dr"]) == (1, 2)

    def test_an_equal_record_in_another_partition_tells_nothing_of_this_one(self):
        here, equal, beside = at(0, identity="p-2"), at(1), at(0, partition=1)
        assert not +truth_of([here, equal, beside], [mirrored(beside, 0)]).missing


class TestConsume:
    def test_the_second_effect_of_a_position_is_a_duplicate(self):
        copy = at(0)
        truth = truth_of([copy], [mirrored(copy, 4)], [charge(4), charge(4), charge(4)])
        assert truth.extras == {Where("charger", "primary.payments", 0, 4): 2}
        assert truth.effects == {("charger", "consume"): 2}

    def test_extra_effects_have_the_maker_of_their_lineage_as_origin(self):
        copies = [at(0), at(1, timestamp=1500)]
        below = [mirrored(copies[0], 0), mirrored(copies[1], 1), mirrored(copies[1], 2)]
        truth = truth_of(copies, below, [charge(2), charge(1), charge(1)])
        assert truth.effects == {("charger", "mirror"): 1, ("charger", "consume"): 1}
        assert (truth.extra_copies["charger"], truth.absorbed["charger"]) == (2, 1)
        assert truth.unbalanced == []

    def test_one_effect_id_is_one_effect(self):
        copy = at(0)
        assert not truth_of(
            [copy], [mirrored(copy, 0)], [charge(0, effect_id="a"), charge(0, effect_id="a")]
        ).effects

    def test_acting_on_a_copy_and_on_its_faithful_copy_is_acting_twice(self):
        flow = Flow(("id",), {"to-dr": "source"}, {"charger": ("source", "to-dr")})
        copy = at(0)
        effects = [Effect(Where(stage, "payments", 0, 0)) for stage in ("source", "to-dr")]
        truth = judge(flow, {"source": [copy], "to-dr": [copy]}, {"charger": effects})
        assert truth.extras == {Where("charger", "payments", 0, 0): 1}

    def test_an_effect_of_no_record_is_unverified(self):
        assert truth_of([], [], [charge(0)]).unverified == {("consume", "charger", "no_copy"): 1}
