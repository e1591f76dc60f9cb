from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dupscope.forensics.comparison import Comparison, Extent, LeftOut, Missing, Stored
from dupscope.forensics.oracle import Oracle
from dupscope.forensics.sample import Sample
from dupscope.forensics.verify import Comparer
from dupscope.model.batch import EffectBatch, RecordBatch
from dupscope.model.finding import Finding, Kind, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import Partition, Position, pack
from dupscope.model.replay import Replay
from dupscope.model.topology import Log, Sink, TagParts, Topology

HOUR = 3_600_000
NOON = 1_700_000_000_000
KEY, OTHER = 5, 6
SOURCE, DR = 0, 1

LOGS = (Log("source", "a"), Log("dr", "b", (SOURCE,)))
ONE_MIRROR = Topology("p", LOGS, (Sink("charger", (DR,)),))
FAILOVER = Topology("p", LOGS, (Sink("charger", (SOURCE, DR)),))
UNTIMED = Topology("p", (LOGS[0], replace(LOGS[1], tag=TagParts(timestamp=False))))

PARTITIONS = [
    Partition(SOURCE, "a-id", "payments-id", "payments", "payments", 0),
    Partition(DR, "b-id", "mirrored-id", "a.payments", "payments", 0),
    Partition(DR, "b-id", "deleted-id", "a.payments", "payments", 0),
]
"""By slot. The last is a namesake that was deleted."""
READ = Extent(positions={0: 100, 1: 100}, begun={0: 0, 1: 0}, covered_ms={})


def records(*copies: tuple[int, int, int], key: int = KEY, redriven: bool = False) -> list[RecordBatch]:
    """One record each, as (log, offset, milliseconds after noon)."""
    return [
        RecordBatch(
            log,
            np.array([pack(log, offset)], np.uint64),
            np.array([NOON + at], np.int64),
            np.array([key], np.uint64),
            np.array([key], np.uint64),
            np.array([7], np.uint64),
            np.array([True]) if redriven else None,
        )
        for log, offset, at in copies
    ]


def position(log: int, offset: int) -> Position:
    each = PARTITIONS[log]
    return Position(each.cluster_id, each.topic_id, each.topic, each.number, offset)


def finding(log: int, offset: int, key: int = KEY, **changes: object) -> Finding:
    stage, where = LOGS[log].name, position(log, offset)
    made = Finding(
        id=finding_id("p", stage, where),
        pipeline="p",
        layer=Layer.MIRROR if log else Layer.PRODUCE,
        stage=stage,
        topic="payments",
        kind=Kind.IDENTICAL,
        position=where,
        first=None,
        fingerprint=f"{key:016x}" * 2,
        detected_at=NOON / 1000 + 60,
        timestamp=NOON / 1000,
    )
    return replace(made, **changes)


def repeat(log: int, offset: int, ordinal: int = 2) -> Finding:
    where = position(log, offset)
    name = finding_id("p", "charger", where, ordinal)
    more = {"layer": Layer.CONSUME, "stage": "charger", "first": where, "ordinal": ordinal}
    return finding(log, offset, id=name, **more)


class Case:
    """Records and effects of one sample, what is found of them, and how it is compared."""

    def __init__(self, *batches: RecordBatch, later: tuple[RecordBatch, ...] = (), limit: int = 1000) -> None:
        self.sample = Sample(100, 1, PARTITIONS, limit)
        for batch in batches:
            self.sample.records(batch, np.array([False]))
        for batch in later:
            self.sample.records(batch, np.array([True]))
        self.sample.settle()

    def effects(self, *acts: tuple[int, int]) -> Case:
        """Effects at (log, offset); offset -1: without a position."""
        for log, offset in acts:
            at, key = np.array([NOON + 1], np.int64), np.array([KEY], np.uint64)
            where = np.array([0 if offset < 0 else pack(log, offset)], np.uint64)
            none = np.zeros(1, np.uint32)
            self.sample.effects(EffectBatch(0, where, at, key, key, none), np.array([False]))
        return self

    def compared(
        self,
        *findings: Finding,
        topology: Topology = ONE_MIRROR,
        extent: Extent = READ,
        replays: tuple[Replay, ...] = (),
        **stored: object,
    ) -> Comparison:
        known = frozenset(each.id for each in findings)
        comparer = Comparer(Oracle(topology, 24 * HOUR, HOUR), PARTITIONS, extent, replays)
        return comparer.compare(self.sample, Stored(findings, **{"then": known, **stored}))


def left_out(result: Comparison) -> dict[LeftOut, int]:
    assert result.is_equal
    assert result.compared == result.sampled - result.left_out.total()
    return dict(result.left_out)


TWICE = records((SOURCE, 1, 0), (DR, 1, 0), (DR, 2, 0))
"""The mirror has delivered a record again."""
AGAIN = records((SOURCE, 1, 0), (SOURCE, 2, 5), (DR, 1, 0), (DR, 2, 5))
"""The producer has sent a record again."""


class TestCompare:
    def test_what_is_found_and_true_is_equal(self):
        case = Case(*TWICE, *records((SOURCE, 3, 0), (DR, 3, 0), key=OTHER))

        result = case.compared(finding(DR, 2))

        assert result == Comparison(sampled=2, compared=2, expected=1)
        assert (result.found, result.is_equal) == (1, True)

    def test_what_is_not_found_is_missing(self):
        result = Case(*TWICE).compared()

        where = position(DR, 2)
        assert result.missing == [Missing(finding_id("p", "dr", where), Layer.MIRROR, "dr", where, None)]
        assert (result.compared, result.expected, result.found) == (1, 1, 0)

    def test_what_is_found_and_not_true_is_false(self):
        wrong = finding(DR, 1)

        result = Case(*records((SOURCE, 1, 0), (DR, 1, 0))).compared(wrong)

        assert (result.false, result.missing, result.is_equal) == ([wrong], [], False)

    def test_the_wrong_one_of_two_is_both(self):
        result = Case(*TWICE).compared(finding(DR, 1))

        assert (len(result.false), len(result.missing)) == (1, 1)

    def test_a_finding_of_a_key_that_has_no_record_is_false(self):
        result = Case(*TWICE).compared(finding(DR, 2), finding(DR, 7, OTHER))

        assert (result.sampled, len(result.false)) == (2, 1)

    def test_every_layer(self):
        case = Case(*AGAIN, *records((DR, 3, 5))).effects((DR, 1), (DR, 1), (DR, 1))

        found = [finding(SOURCE, 2), finding(DR, 3), repeat(DR, 1, 2), repeat(DR, 1, 3)]

        assert case.compared(*found).found == 4
        assert [one.ordinal for one in case.compared(*found[:-1]).missing] == [3]
        assert [one.ordinal for one in case.compared(*found, repeat(DR, 1, 4)).false] == [4]

    def test_a_lineage_may_be_known_by_any_of_its_copies(self):
        case = Case(*records((SOURCE, 1, 0), (DR, 1, 0))).effects((SOURCE, 1), (DR, 1))

        assert case.compared(repeat(SOURCE, 1), topology=FAILOVER).is_equal
        assert case.compared(repeat(DR, 1), topology=FAILOVER).is_equal

    def test_keys_that_are_not_sampled_and_stages_that_are_gone_do_not_count(self):
        case = Case(*TWICE)
        case.sample._bound = KEY ^ case.sample._mask

        result = case.compared(finding(DR, 2), finding(DR, 7, 1 << 63), finding(DR, 3, stage="to-far"))

        assert (result.sampled, result.is_equal) == (1, True)


class TestLeftOut:
    def test_more_was_appended_than_was_read(self):
        later = records((SOURCE, 200, 9))

        assert left_out(Case(*TWICE, later=tuple(later)).compared()) == {LeftOut.NOT_READ_YET: 1}

    def test_a_finding_behind_what_was_read(self):
        assert left_out(Case(*TWICE).compared(finding(DR, 100))) == {LeftOut.NOT_READ_YET: 1}

    def test_a_finding_made_since_that_is_not_explained_by_what_was_read(self):
        result = Case(*TWICE).compared(finding(DR, 2), repeat(DR, 1), then=frozenset({finding(DR, 2).id}))

        assert left_out(result) == {LeftOut.NOT_READ_YET: 1}

    def test_a_finding_made_since_of_what_was_read_counts(self):
        assert Case(*TWICE).compared(finding(DR, 2), then=frozenset()).found == 1

    def test_too_many_copies(self):
        assert left_out(Case(*TWICE, limit=1).compared()) == {LeftOut.HOT_KEY: 1}

    @pytest.mark.parametrize(
        "named",
        [
            finding(SOURCE, 3, first=position(SOURCE, 2)),
            finding(DR, 1, position=position(2, 1)),
            finding(DR, 3, position=Position("b-id", "unknown-id", "a.payments", 0, 3)),
            finding(DR, 3, position=None),
        ],
        ids=["below", "deleted", "unknown", "none"],
    )
    def test_what_a_finding_names_is_there_no_more(self, named):
        extent = replace(READ, begun={0: 3, 1: 0})
        case = Case(*records((SOURCE, 3, 0), (DR, 3, 0)))

        assert left_out(case.compared(named, extent=extent)) == {LeftOut.GONE: 1}

    def test_a_compacted_topic(self):
        extent = replace(READ, compacted=frozenset({"payments"}))

        assert left_out(Case(*TWICE).compared(extent=extent)) == {LeftOut.COMPACTED: 1}

    @pytest.mark.parametrize(
        ("begun_before_ms", "topology", "is_compared"),
        [
            (HOUR, ONE_MIRROR, True),
            (HOUR - 1, ONE_MIRROR, False),
            (25 * HOUR, UNTIMED, True),
            (25 * HOUR - 1, UNTIMED, False),
        ],
    )
    def test_near_the_beginning_of_coverage(self, begun_before_ms, topology, is_compared):
        """A margin; where tags have no time, or copies are counted only, also a window."""
        extent = replace(READ, covered_ms={"payments": NOON - begun_before_ms})
        result = Case(*TWICE).compared(finding(DR, 2), topology=topology, extent=extent)

        assert left_out(result) == ({} if is_compared else {LeftOut.BEFORE_COVERAGE: 1})

    def test_a_finding_without_records_near_the_beginning_of_coverage(self):
        extent = replace(READ, covered_ms={"payments": NOON})

        assert left_out(Case().compared(finding(DR, 2), extent=extent)) == {LeftOut.BEFORE_COVERAGE: 1}

    def test_a_marked_replay(self):
        marked = Case(*records((SOURCE, 1, 0), (SOURCE, 2, 5), redriven=True))

        assert left_out(marked.compared()) == {LeftOut.INTENDED: 1}

    def test_a_declared_replay(self):
        replay = Replay("dr", NOON, NOON + 1)

        assert left_out(Case(*TWICE).compared(replays=(replay,))) == {LeftOut.INTENDED: 1}
        assert Case(*TWICE).compared(replays=(replace(replay, stage="source"),)).missing

    def test_a_mirrors_verdict_that_a_later_upstream_copy_explains(self):
        """Two copies below, one above: a duplicate. Then the second above came, and the verdict stayed."""
        case = Case(*records((SOURCE, 1, 0), (SOURCE, 2, 0), (DR, 1, 0), (DR, 2, 0)))

        assert left_out(case.compared(finding(SOURCE, 2), finding(DR, 2))) == {LeftOut.EXPLAINED_LATER: 1}

    def test_a_missing_one_is_not_explained_by_that(self):
        case = Case(*AGAIN, *records((DR, 3, 5)))

        assert len(case.compared(finding(SOURCE, 2)).missing) == 1

    def test_repeats_across_logs_whose_pairs_may_have_moved(self):
        case = Case(*AGAIN).effects((SOURCE, 1), (DR, 1))

        result = case.compared(finding(SOURCE, 2), topology=FAILOVER)

        assert left_out(result) == {LeftOut.EXPLAINED_LATER: 1}

    def test_repeats_without_positions_where_a_lineage_may_have_come_later(self):
        case = Case(*AGAIN).effects((DR, -1), (DR, -1))

        assert left_out(case.compared(finding(SOURCE, 2), repeat(DR, 1))) == {LeftOut.EXPLAINED_LATER: 1}

    def test_repeats_of_one_position_rest_on_no_pairs(self):
        case = Case(*AGAIN).effects((DR, 1), (DR, 1))

        assert len(case.compared(finding(SOURCE, 2)).missing) == 1
        assert len(case.compared(finding(SOURCE, 2), repeat(DR, 1), repeat(DR, 2)).false) == 1

    def test_older_than_what_the_store_keeps(self):
        assert left_out(Case(*TWICE).compared(kept_ms=NOON + 1)) == {LeftOut.FORGOTTEN: 1}
        assert Case(*TWICE).compared(kept_ms=NOON).missing

    def test_not_judged_yet(self):
        assert left_out(Case(*TWICE).compared(is_settled=False)) == {LeftOut.NOT_JUDGED_YET: 1}
        assert Case(*TWICE).compared(finding(DR, 2), is_settled=False).found == 1

    def test_counted_as_unverified(self):
        """As many as were counted may be among those; one more is not."""
        more = records((SOURCE, 5, 0), (DR, 5, 0), (DR, 6, 0), key=OTHER)

        assert left_out(Case(*TWICE, *more).compared(unverified=2)) == {LeftOut.UNVERIFIED: 2}
        assert len(Case(*TWICE, *more).compared(unverified=1).missing) == 2
        assert len(Case(*TWICE).compared(finding(DR, 1), unverified=9).false) == 1

    def test_effects_counted_as_without_a_copy(self):
        """The copy may have been forgotten when the line was read. Of records that explains nothing."""
        acted = Case(*records((SOURCE, 1, 0), (DR, 1, 0))).effects((DR, 1), (DR, 1))

        assert left_out(acted.compared(unplaced=1)) == {LeftOut.UNVERIFIED: 1}
        assert len(Case(*TWICE).compared(unplaced=1).missing) == 1

    def test_a_sink_whose_audit_log_cannot_be_read(self):
        case = Case(*TWICE).effects((DR, 1), (DR, 1))
        extent = replace(READ, unread_sinks=frozenset({"charger"}))

        result = case.compared(finding(DR, 2), repeat(DR, 7), extent=extent)

        assert (result.expected, result.is_equal) == (1, True)


class TestIndependence:
    def test_it_knows_nothing_of_the_ledger(self):
        program = (
            "import sys, dupscope.forensics.verify;"
            "print([name for name in sys.modules if name.startswith('dupscope.ledger')])"
        )

        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout == "[]\n"
