"""The oracle, on lists small enough to judge by eye."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from support.dump import Dumped
from support.oracle import Effect, Flow, Key, Replay, Truth, UnkeyedError, Where, business_key, judge

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

    def test_the_first_place_is_the_most_upstream_one_whatever_the_order_of_reads(self):
        flow = Flow(("id",), {"to-dr": "source"}, {"charger": ("to-dr", "source")})
        copy = at(0)
        effects = [Effect(Where("to-dr", "payments", 0, 0))] * 2
        truth = judge(flow, {"source": [copy], "to-dr": [copy]}, {"charger": effects})
        assert truth.extras == {Where("charger", "payments", 0, 0): 1}

    def test_an_effect_of_a_copy_without_source_is_not_in_source(self):
        truth = truth_of([], [mirrored(at(0), 0)], [charge(0)])
        assert truth.unverified["consume", "charger", "not_in_source"] == 1

    def test_one_effect_id_of_two_keys_is_two_effects(self):
        copies = [at(0), at(1, identity="p-2")]
        below = [mirrored(copy, copy.offset) for copy in copies]
        effects = [charge(0, effect_id="a"), charge(1, effect_id="a"), charge(1, effect_id="b")]
        assert truth_of(copies, below, effects).extras == {Where("charger", "primary.payments", 0, 1): 1}


class TestWindow:
    FLOW = replace(FLOW, window_ms=100)

    def test_a_copy_further_apart_than_the_window_is_another_case(self):
        source = [at(0), at(1, timestamp=1100), at(2, timestamp=1201)]
        truth = judge(self.FLOW, {"source": source}, {})
        assert truth.extras == {Where("source", "payments", 0, 1): 1}

    def test_a_downstream_copy_goes_with_its_tag(self):
        source = [at(0), at(1, timestamp=2000)]
        below = [mirrored(source[0], 0), mirrored(source[1], 1), mirrored(source[0], 2)]
        truth = judge(self.FLOW, {"source": source, "to-dr": below}, {})
        assert truth.extras == {Where("to-dr", "primary.payments", 0, 2): 1}
        assert not +truth.deficit

    def test_one_of_unknown_tag_goes_with_the_nearest_source_copy(self):
        source = [at(0), at(1, timestamp=2000)]
        below = [mirrored(source[0], 0), mirrored(source[0], 1)._replace(timestamp=1950)]
        truth = judge(self.FLOW, {"source": source, "to-dr": below}, {})
        assert not truth.extras
        assert not +truth.deficit

    def test_one_of_unknown_tag_far_from_all_source_copies_is_not_in_source(self):
        source = [at(0), at(1, timestamp=2000)]
        lost = mirrored(source[0], 1)._replace(timestamp=1500)
        truth = judge(self.FLOW, {"source": source, "to-dr": [mirrored(source[0], 0), lost]}, {})
        assert truth.unverified == {("mirror", "to-dr", "not_in_source"): 1}

    def test_without_time_in_the_tag_the_pair_decides(self):
        flow = replace(self.FLOW, tags={"to-dr": ("key", "value")})
        source = [at(0), at(1, timestamp=2000)]
        below = [mirrored(copy, copy.offset)._replace(timestamp=5000 + copy.offset) for copy in source]
        truth = judge(flow, {"source": source, "to-dr": below}, {})
        assert not truth.extras
        assert not +truth.deficit
        assert not truth.unverified

    def test_effects_follow_their_position(self):
        source = [at(0), at(1, timestamp=2000)]
        below = [mirrored(copy, copy.offset) for copy in source]
        truth = judge(self.FLOW, {"source": source, "to-dr": below}, {"charger": [charge(0), charge(1)]})
        assert not truth.extras
        assert not truth.effects
        assert truth.unbalanced == []


class TestTag:
    FLOW = replace(FLOW, tags={"to-dr": ("key", "value")})

    def test_a_destination_that_stamps_by_its_own_clock(self):
        source = [at(0), at(1, timestamp=1500, amount=2)]
        below = [mirrored(copy, copy.offset)._replace(timestamp=9000) for copy in (*source, source[1])]
        below[2] = below[2]._replace(offset=2)
        truth = judge(self.FLOW, {"source": source, "to-dr": below}, {})
        assert truth.places("to-dr") == {Where("to-dr", "primary.payments", 0, 2): 1}


class TestSeveralSources:
    FLOW = Flow(
        ("id",),
        {"to-dr": "source@primary", "to-primary": "source@dr"},
        {"both": ("source@dr", "to-dr")},
        {"primary.payments": "payments", "dr.payments": "payments"},
    )

    def test_copies_on_two_clusters_are_one_case(self):
        here, there = at(0)._replace(cluster="primary"), at(0, timestamp=1200)._replace(cluster="dr")
        truth = judge(self.FLOW, {"source": [there, here]}, {})
        assert truth.extras == {Where("source", "payments", 0, 0, "dr"): 1}

    def test_each_mirror_is_judged_against_its_own_part(self):
        here, there = at(0)._replace(cluster="primary"), at(0, timestamp=1200)._replace(cluster="dr")
        logs = {
            "source": [here, there],
            "to-dr": [mirrored(here, 0), mirrored(there, 1)],
            "to-primary": [mirrored(there, 0)],
        }
        truth = judge(self.FLOW, logs, {})
        assert truth.layer("mirror") == 1
        assert sum(truth.places("to-dr").values()) == 1
        assert not +truth.deficit

    def test_what_no_part_above_has_is_not_in_source(self):
        there = at(0)._replace(cluster="dr")
        truth = judge(self.FLOW, {"source": [there], "to-dr": [mirrored(there, 0)]}, {})
        assert truth.unverified == {("mirror", "to-dr", "not_in_source"): 1}

    def test_one_lineage_through_two_logs_of_a_sink(self):
        here = at(0)._replace(cluster="primary")
        effects = [Effect(Where("source", "payments", 0, 0, "primary")), charge(0), charge(0)]
        below = mirrored(here, 0)._replace(cluster="")
        truth = judge(self.FLOW, {"source": [here], "to-dr": [below]}, {"both": effects})
        assert truth.extras == {Where("both", "primary.payments", 0, 0): 1}
        assert truth.unverified == {("consume", "both", "no_copy"): 1}


class TestIncarnations:
    def test_the_same_offset_in_two_incarnations_is_two_copies(self):
        old, new = at(0)._replace(topic_id="a"), at(0, timestamp=1500)._replace(topic_id="b")
        truth = truth_of([old, new], [])
        assert truth.extras == {Where("source", "payments", 0, 0, topic_id="b"): 1}

    def test_what_the_old_one_lost_is_not_overtaken_by_the_new_one(self):
        lost, other = at(0)._replace(topic_id="a"), at(5, identity="p-2")._replace(topic_id="b")
        truth = truth_of([lost, other], [mirrored(other, 0)])
        assert (truth.deficit["to-dr"], truth.missing["to-dr"]) == (1, 0)


class TestWithoutPlaces:
    def key(self) -> Key:
        return business_key(b'{"id": "p-1"}', ("id",))

    def floating(self, at: int = 1100, effect_id: str | None = None) -> Effect:
        return Effect(None, effect_id, self.key(), at)

    def test_effects_beyond_the_readable_lineages_are_repeats_at_the_first_place(self):
        copies = [at(0), at(1, timestamp=1050)]
        below = [mirrored(copy, copy.offset) for copy in copies]
        truth = truth_of(copies, below, [self.floating()] * 5)
        assert truth.places("charger") == {Where("charger", "primary.payments", 0, 0): 3}
        assert truth.effects == {("charger", "consume"): 3, ("charger", "produce"): 1}
        assert truth.unbalanced == []

    def test_the_last_case_that_began_before_takes_it(self):
        flow = replace(FLOW, window_ms=100, margin_ms=10)
        copies = [at(0), at(1, timestamp=2000)]
        below = [mirrored(copy, copy.offset) for copy in copies]
        effects = [self.floating(at) for at in (995, 1999, 2000)]
        truth = judge(flow, {"source": copies, "to-dr": below}, {"charger": effects})
        assert truth.extras == {Where("charger", "primary.payments", 0, 0): 1}

    def test_one_of_no_case_is_not_in_source(self):
        copy = at(0)
        truth = truth_of([copy], [mirrored(copy, 0)], [self.floating(at=10)])
        assert truth.unverified == {("consume", "charger", "not_in_source"): 1}

    def test_one_effect_id_is_one_effect(self):
        copy = at(0)
        effects = [self.floating(effect_id="a"), self.floating(effect_id="a")]
        assert not truth_of([copy], [mirrored(copy, 0)], effects).extras


class TestIntended:
    def test_a_redriven_source_copy_is_no_duplicate(self):
        flow = replace(FLOW, redriven=lambda copy: "redrive" in dict(copy.headers))
        again = at(1, timestamp=1500)._replace(headers=(("redrive", b""),))
        truth = judge(flow, {"source": [at(0), again, at(2, timestamp=1600)]}, {})
        assert truth.intended == {("produce", "source", "redrive"): 1}
        assert truth.extras == {Where("source", "payments", 0, 2): 1}

    def test_a_declared_window_speaks_for_its_stage_alone(self):
        flow = replace(FLOW, replays=(Replay("to-dr", 1000, 1001, "rebuilt"),))
        copies = [at(0), at(1)]
        below = [mirrored(copy, offset) for offset, copy in enumerate([*copies, copies[0]])]
        truth = judge(flow, {"source": copies, "to-dr": below}, {})
        assert truth.intended == {("mirror", "to-dr", "rebuilt"): 1}
        assert truth.extras == {Where("source", "payments", 0, 1): 1}

    def test_the_end_of_a_window_is_outside(self):
        flow = replace(FLOW, replays=(Replay("source", 0, 1500),))
        truth = judge(flow, {"source": [at(0), at(1, timestamp=1499), at(2, timestamp=1500)]}, {})
        assert truth.intended == {("produce", "source", "declared"): 1}
        assert truth.layer("produce") == 1

    def test_repeats_of_a_sink_by_their_own_time(self):
        flow = replace(FLOW, replays=(Replay("charger", 5000, 6000),))
        copy = at(0)
        effects = [charge(0)._replace(at=when) for when in (4000, 5500, 6500)]
        truth = judge(flow, {"source": [copy], "to-dr": [mirrored(copy, 0)]}, {"charger": effects})
        assert truth.intended == {("consume", "charger", "declared"): 1}
        assert truth.extras == {Where("charger", "primary.payments", 0, 0): 1}
        assert truth.effects == {("charger", "consume"): 2}


class TestHotKey:
    def test_a_key_with_100_000_copies_is_judged_within_seconds(self):
        source = [at(offset, timestamp=1000 + offset % 7) for offset in range(50_000)]
        below = [mirrored(copy, copy.offset) for copy in source[:-1]]
        flow = replace(FLOW, window_ms=1000)
        began = time.monotonic()
        truth = judge(flow, {"source": source, "to-dr": below}, {"charger": [charge(0), charge(0)]})
        assert time.monotonic() - began < 20
        assert (truth.layer("produce"), truth.layer("mirror"), truth.layer("consume")) == (49_999, 0, 1)
