from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.outcome import Outcome
from dupscope.model.batch import EffectBatch, Gap, RecordBatch
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from dupscope.model.position import Partition
from dupscope.model.replay import Replay
from dupscope.store.entries import Entry, from_tree, outcome_digest, to_tree
from dupscope.store.frame import seal, unseal
from unit.store.conftest import finding

U64 = np.array([1, 2**64 - 1], np.uint64)
I64 = np.array([-1, 2], np.int64)


def progress(**fields: object) -> Progress:
    return Progress(**{
        "positions": I64,
        "at_end": np.array([True, False]),
        "tailed": [0, 1],
        "begun": I64,
        "covered_since": (None, 5),
        "committed": (I64,),
        "truncated": frozenset({(1, "payments")}),
        "deleted": frozenset({1}),
        "end_seen_ms": I64,
        "enumerated_ms": 7,
        "covered_topics": {(0, "payments"): None, (1, "payments"): 9},
        "settled": (I64,),
        "settled_from": (I64 - 1,),
        **fields,
    })  # fmt: skip


def entry(number: int, now: Progress) -> Entry:
    cycle = Cycle(
        number,
        1_800_000_000_000,
        now,
        [RecordBatch(0, U64, I64, U64, U64, U64, np.array([True, False])), RecordBatch(1, *[U64] * 5)],
        [EffectBatch(0, U64, I64, U64, U64, np.array([1, 2], np.uint32))],
        [Gap(0, 1, 5, 0, 9)],
        (Replay("source", 1, 2, "drill"),),
    )
    return Entry(cycle, I64, (Partition(0, "c", "t", "payments", "payments", 3),), 12)


OFFSETS = st.lists(st.integers(-1, 2**48), max_size=4).map(lambda found: np.array(found, np.int64))
TOPICS = st.sampled_from(["payments", "orders", "ä"])
CHANGES = {
    "positions": OFFSETS,
    "at_end": st.lists(st.booleans(), max_size=4).map(lambda found: np.array(found, np.bool_)),
    "tailed": st.lists(st.integers(0, 3), max_size=4),
    "begun": OFFSETS,
    "covered_since": st.lists(st.none() | st.integers(0, 2**48), max_size=3).map(tuple),
    "committed": st.lists(st.none() | OFFSETS, max_size=2).map(tuple),
    "truncated": st.frozensets(st.tuples(st.integers(0, 2), TOPICS), max_size=1),
    "deleted": st.frozensets(st.integers(0, 3), max_size=1),
    "end_seen_ms": OFFSETS,
    "enumerated_ms": st.integers(0, 2**48),
    "settled": st.lists(OFFSETS, min_size=1, max_size=2).map(tuple),
    "settled_from": st.lists(OFFSETS, min_size=1, max_size=2).map(tuple),
    "covered_topics": st.dictionaries(st.tuples(st.integers(0, 2), TOPICS), st.none() | st.integers(0, 9)),
}
"""Sets of one at most, since a text of more tells their order."""


def again(entries: list[Entry]) -> list[Entry]:
    return list(from_tree(unseal(seal(to_tree(entries), "here"), "here")))


def as_text(entries: list[Entry]) -> list[str]:
    """Everything of some entries, arrays with their types."""
    with np.printoptions(threshold=10_000):
        return [repr(dataclasses.asdict(each)) for each in entries]


class TestEntries:
    def test_everything_comes_back(self):
        entries = [entry(1, progress()), entry(2, progress(positions=I64 + 1, deleted=frozenset()))]
        assert as_text(again(entries)) == as_text(entries)

    @given(st.lists(st.fixed_dictionaries({}, optional=CHANGES), max_size=6))
    def test_any_changes_from_cycle_to_cycle(self, changes):
        """Partitions come, values stay or change, one by one or together: each entry is whole again."""
        entries = [entry(number, progress(**fields)) for number, fields in enumerate(changes)]
        assert as_text(again(entries)) == as_text(entries)

    def test_an_empty_cycle(self):
        """Nothing read, nothing known yet."""
        empty = np.zeros(0, np.int64)
        none = Progress(empty, np.zeros(0, np.bool_), [], empty, (), ())
        entries = [Entry(Cycle(1, 2, none), None, (), 0)]
        assert as_text(again(entries)) == as_text(entries)

    def test_nothing_settled_takes_no_place(self):
        """As an entry was before effects could be expected."""
        (tree,) = to_tree([entry(1, progress(settled=(), settled_from=()))])
        assert not {"settled", "settled_from"} & tree["progress"].keys()

    def test_what_did_not_change_is_left_out(self):
        """A quiet cycle costs next to nothing."""
        trees = to_tree([entry(1, progress()), entry(2, progress(enumerated_ms=8))])
        assert trees[1]["progress"] == {"enumerated_ms": 8}


class TestOutcomeDigest:
    def test_tells_outcomes_apart(self):
        """By every count and finding that is published; not by the order of counting."""
        one = Outcome(
            unverified=Counter(
                {(Layer.MIRROR, "a", Reason.EXPIRED): 1, (Layer.MIRROR, "b", Reason.EXPIRED): 2}
            )
        )
        other = Outcome(
            unverified=Counter(
                {(Layer.MIRROR, "b", Reason.EXPIRED): 2, (Layer.MIRROR, "a", Reason.EXPIRED): 1}
            )
        )
        assert outcome_digest(one) == outcome_digest(other)
        digests = [outcome_digest(one), outcome_digest(Outcome())]
        digests += [outcome_digest(Outcome(findings=[finding(number)])) for number in (1, 2)]
        for name in ("intended", "missing", "recovered", "extra_effects", "extra_copies"):
            digests.append(outcome_digest(Outcome(**{name: Counter({"to-dr": 1})})))
        assert len(set(digests)) == len(digests)
