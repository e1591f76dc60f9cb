from __future__ import annotations

import subprocess
import sys

from dupscope.forensics.oracle import Copy, Duplicate, Effect, Oracle, Truth
from dupscope.model.layer import Layer
from dupscope.model.topology import Log, Sink, TagParts, Topology

SOURCE, DR, FAR, FARTHER = 0, 1, 2, 3
HOUR = 3_600_000
NOON = 1_700_000_000_000
CONTENT = 7 << 32 | 9

ONE_MIRROR = Topology("p", (Log("source", "a"), Log("dr", "b", (SOURCE,))), (Sink("charger", (DR,)),))
FAILOVER = Topology("p", ONE_MIRROR.logs, (Sink("charger", (SOURCE, DR)),))
CHAIN = Topology("p", (*ONE_MIRROR.logs, Log("far", "c", (DR,)), Log("farther", "d", (FAR,))))
UNTIMED = Topology("p", (Log("source", "a"), Log("dr", "b", (SOURCE,), TagParts(timestamp=False))))


def copy(log: int, offset: int, at: int = 0, *, number: int = 0, content: int = CONTENT) -> Copy:
    return Copy(log, place(log, offset, number), (number, offset, f"{log}", ""), NOON + at, content)


def place(log: int, offset: int, number: int = 0) -> int:
    return (log * 100 + number << 48) + offset + 1


def effect(position: int, *, at: int = 0, effect_id: int = 0) -> Effect:
    return Effect(0, position, NOON + at, effect_id)


def judged(topology: Topology, copies: list[Copy], effects: list[Effect] | None = None) -> Truth:
    return Oracle(topology, 24 * HOUR, HOUR).judge(copies, effects or [])


def found(topology: Topology, copies: list[Copy], effects: list[Effect] | None = None) -> list[tuple]:
    """Stage, first position and ordinal of every duplicate."""
    duplicates = judged(topology, copies, effects).duplicates
    return [(one.stage, one.known_as[0], one.ordinal) for one in duplicates]


class TestRecords:
    def test_a_faithful_mirror_makes_none(self):
        assert found(ONE_MIRROR, [copy(SOURCE, 5), copy(DR, 3)]) == []

    def test_a_further_source_copy_is_one_by_the_order_of_the_logs(self):
        late, early = copy(SOURCE, 1, at=10), copy(SOURCE, 2)

        assert judged(ONE_MIRROR, [late, early]).duplicates == [
            Duplicate(Layer.PRODUCE, "source", (late.position,), None, NOON + 10)
        ]

    def test_beyond_the_window_it_is_another_fact(self):
        assert found(ONE_MIRROR, [copy(SOURCE, 1), copy(SOURCE, 2, at=24 * HOUR)]) != []
        assert found(ONE_MIRROR, [copy(SOURCE, 1), copy(SOURCE, 2, at=24 * HOUR + 1)]) == []

    def test_what_a_mirror_has_more_is_one(self):
        copies = [copy(SOURCE, 1), copy(DR, 1), copy(DR, 2)]

        assert found(ONE_MIRROR, copies) == [("dr", place(DR, 2), None)]

    def test_the_faithful_copy_is_in_the_same_partition_number(self):
        copies = [copy(SOURCE, 1, number=1), copy(DR, 1, number=0), copy(DR, 9, number=1)]

        assert found(ONE_MIRROR, copies) == [("dr", place(DR, 1, 0), None)]

    def test_two_of_one_tag_on_both_sides_are_no_duplicate_of_the_mirror(self):
        copies = [copy(SOURCE, 1), copy(SOURCE, 2), copy(DR, 1), copy(DR, 2)]

        assert found(ONE_MIRROR, copies) == [("source", place(SOURCE, 2), None)]

    def test_another_tag_takes_the_place_of_one_that_is_lacking(self):
        changed = copy(DR, 1, at=1)

        truth = judged(ONE_MIRROR, [copy(SOURCE, 1), changed])

        assert (truth.duplicates, truth.by_count) == ([], True)

    def test_a_mirror_that_keeps_no_time_pairs_without_it(self):
        assert found(UNTIMED, [copy(SOURCE, 1), copy(DR, 1, at=HOUR)]) == []

    def test_without_anything_upstream_it_is_none(self):
        assert found(ONE_MIRROR, [copy(DR, 1), copy(DR, 2)]) == []

    def test_in_a_chain_each_hop_answers_for_itself(self):
        copies = [copy(SOURCE, 1), copy(DR, 1), copy(DR, 2), copy(FAR, 1), copy(FAR, 2), copy(FAR, 3)]

        assert found(CHAIN, copies) == [("dr", place(DR, 2), None), ("far", place(FAR, 3), None)]

    def test_a_copy_of_what_came_from_nowhere_is_none(self):
        """The middle of the chain has lost its copy."""
        assert found(CHAIN, [copy(SOURCE, 1), copy(SOURCE, 2, 1), copy(FAR, 1), copy(FARTHER, 1)]) == [
            ("source", place(SOURCE, 2), None)
        ]

    def test_crowded_are_the_copies_below_several(self):
        one, two = copy(SOURCE, 1), copy(SOURCE, 2, 1)
        below = copy(DR, 1)

        assert not judged(ONE_MIRROR, [one, below]).crowded
        assert judged(ONE_MIRROR, [one, two, below]).crowded >= {below.position}


class TestEffects:
    def test_a_second_one_of_a_copy_is_one(self):
        copies, at = [copy(SOURCE, 1), copy(DR, 1)], place(DR, 1)

        assert found(ONE_MIRROR, copies, [effect(at), effect(at), effect(at)]) == [
            ("charger", at, 2),
            ("charger", at, 3),
        ]

    def test_one_of_each_of_two_lineages_is_none(self):
        copies = [copy(SOURCE, 1), copy(DR, 1), copy(DR, 2)]

        assert found(ONE_MIRROR, copies, [effect(place(DR, 1)), effect(place(DR, 2))]) == [
            ("dr", place(DR, 2), None)
        ]

    def test_a_copy_and_its_faithful_copy_are_one_lineage(self):
        copies = [copy(SOURCE, 1), copy(DR, 1)]

        (duplicate,) = judged(FAILOVER, copies, [effect(place(SOURCE, 1)), effect(place(DR, 1))]).duplicates

        assert duplicate.known_as == (place(SOURCE, 1), place(DR, 1))

    def test_logged_twice_under_one_id_is_one_effect(self):
        copies, at = [copy(SOURCE, 1), copy(DR, 1)], place(DR, 1)

        assert found(ONE_MIRROR, copies, [effect(at, effect_id=4), effect(at, effect_id=4)]) == []

    def test_at_a_position_without_a_record_it_is_none(self):
        nowhere, at = place(DR, 8), place(DR, 1)

        assert found(ONE_MIRROR, [copy(SOURCE, 1), copy(DR, 1)], [effect(nowhere), effect(at)]) == []

    def test_without_positions_it_is_what_the_lineages_cannot_explain(self):
        copies = [copy(SOURCE, 1), copy(DR, 1)]

        truth = judged(ONE_MIRROR, copies, [effect(0), effect(0, at=5)])

        assert truth.by_count
        assert truth.duplicates == [Duplicate(Layer.CONSUME, "charger", (place(DR, 1),), 2, NOON + 5)]

    def test_without_position_and_a_little_early_it_joins_the_first_case(self):
        copies = [copy(SOURCE, 1), copy(DR, 1)]

        assert found(ONE_MIRROR, copies, [effect(0, at=-HOUR), effect(0)]) == [("charger", place(DR, 1), 2)]
        assert found(ONE_MIRROR, copies, [effect(0, at=-HOUR - 1), effect(0)]) == []


class TestIndependence:
    def test_it_knows_nothing_of_the_ledger(self):
        program = (
            "import sys, dupscope.forensics.oracle;"
            "print([name for name in sys.modules if name.startswith('dupscope.ledger')])"
        )

        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout == "[]\n"
