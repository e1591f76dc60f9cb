from __future__ import annotations

from dataclasses import fields

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.caserecord import case_of, case_record
from dupscope.model.finding import Origin, Reason
from dupscope.store.frame import seal, unseal


def again(case: Case) -> Case:
    """As it comes back from a store."""
    return case_of(unseal(seal(case_record(case), "here"), "here"), case.slot)


def values(one: Copy | Effect) -> dict[str, object]:
    return {each.name: getattr(one, each.name) for each in fields(one) if each.name not in {"twin", "home"}}


def full_case() -> Case:
    """A case in which nothing has its default."""
    source = Copy(0, 7, 1000, 2**64 - 1, counted={0: 2}, redriven=True, intended="redrive", reported=True)
    source.lacking = frozenset({0, 70})
    mirrored = Copy(1, 2**63, 1001, 5, excess=True, missing=2, recovered=2, twin=source)
    closed = Copy(1, 9, 1002, 6, unverified=Reason.HOT_KEY)
    placed = Effect(0, 7, 2000, 3, 4, Origin.MIRROR, duplicate=True, intended="declared")
    floating = Effect(1, 0, 2001, 0, 5, unverified=Reason.NO_COPY, home=source)
    case = Case(2**64 - 1, 1, slot=3, serial=8, reported={"b", "a"}, hot=True, pruned_below=-5)
    for each in (source, mirrored, closed, placed, floating):
        case.add(each)
    case.suspects = frozenset({1, -1})
    return case


class TestCaseRecord:
    def test_everything_comes_back(self):
        """Each field of the case, of its copies and of its effects."""
        case, back = full_case(), again(full_case())
        plain = {each.name for each in fields(Case)} - {"copies", "effects"}
        assert {name: getattr(back, name) for name in plain} == {name: getattr(case, name) for name in plain}
        assert list(map(values, back.copies)) == list(map(values, case.copies))
        assert list(map(values, back.effects)) == list(map(values, case.effects))

    def test_nothing_that_lacks_an_effect_takes_no_place(self):
        """As the record of a copy was before there was such a thing."""
        record = case_record(full_case())
        assert [len(copy) for copy in record[3]] == [12, 11, 11]

    def test_references(self):
        """A twin and a home are the very copies of the case."""
        back = again(full_case())
        assert back.copies[1].twin is back.copies[0]
        assert back.effects[1].home is back.copies[0]
        assert back.copies[0].twin is back.effects[0].home is None

    def test_reference_to_a_dropped_copy(self):
        """A copy that the case has dropped is not in it, and is still another than none."""
        case = full_case()
        del case.copies[0]
        back = again(case)
        home, twin = back.effects[1].home, back.copies[0].twin
        assert home is not None
        assert twin is not None
        assert not {home, twin} & set(back.copies)
