"""A case as plain values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.model.finding import Origin, Reason
from dupscope.model.plain import Plain

NO_COPY, ANOTHER_COPY = -1, -2
"""In place of the index of a copy of the case: none, or one that the case has dropped."""

_EXCESS, _REPORTED, _REDRIVEN = 1, 2, 4
_TWIN = 10
"""Where the twin stands in a copy's record; behind it are the sinks that lack an effect, where some do."""


def case_record(case: Case) -> list[Plain]:
    """Everything of a case but its place."""
    index = {copy: at for at, copy in enumerate(case.copies)}
    return [
        case.serial,
        case.fp_hi,
        case.fp_lo,
        [_copy_record(copy, index) for copy in case.copies],
        [_effect_record(effect, index) for effect in case.effects],
        sorted(case.reported),
        case.newest_copy,
        case.newest_effect,
        case.hot,
        case.pruned_below,
        sorted(case.suspects),
    ]


def case_of(record: Sequence[Any], slot: int) -> Case:
    """The case again, with its place."""
    serial, fp_hi, fp_lo, copies, effects, reported, copied, acted, hot, pruned, suspects = record
    case = Case(fp_hi, fp_lo, slot=slot, serial=serial, reported=set(reported))
    case.copies = [_copy_of(each) for each in copies]
    for copy, each in zip(case.copies, copies, strict=True):
        copy.twin = _at(case.copies, each[_TWIN])
    case.effects = [_effect_of(each, case.copies) for each in effects]
    case.newest_copy, case.newest_effect = copied, acted
    case.hot, case.pruned_below = hot, pruned
    case.suspects = frozenset(suspects)
    return case


def _copy_record(copy: Copy, index: dict[Copy, int]) -> list[Plain]:
    return [
        copy.log,
        copy.position,
        copy.timestamp,
        copy.content,
        _EXCESS * copy.excess | _REPORTED * copy.reported | _REDRIVEN * copy.redriven,
        copy.unverified,
        copy.missing,
        copy.recovered,
        copy.counted,
        copy.intended,
        _index(copy.twin, index),
        *([sorted(copy.lacking)] if copy.lacking else []),
    ]


def _copy_of(record: Sequence[Any]) -> Copy:
    log, position, timestamp, content, flags, *concluded = record[:_TWIN]
    unverified, missing, recovered, counted, intended = concluded
    return Copy(
        log,
        position,
        timestamp,
        content,
        excess=bool(flags & _EXCESS),
        reported=bool(flags & _REPORTED),
        unverified=unverified and Reason(unverified),
        missing=missing,
        recovered=recovered,
        counted=counted,
        redriven=bool(flags & _REDRIVEN),
        intended=intended,
        lacking=frozenset(*record[_TWIN + 1 :]),
    )


def _effect_record(effect: Effect, index: dict[Copy, int]) -> list[Plain]:
    return [
        effect.sink,
        effect.position,
        effect.at,
        effect.effect_id,
        effect.cycle,
        effect.origin,
        effect.duplicate,
        effect.unverified,
        effect.intended,
        _index(effect.home, index),
    ]


def _effect_of(record: Sequence[Any], copies: list[Copy]) -> Effect:
    sink, position, at, effect_id, cycle, origin, duplicate, unverified, intended, home = record
    return Effect(
        sink,
        position,
        at,
        effect_id,
        cycle,
        origin=origin and Origin(origin),
        duplicate=duplicate,
        unverified=unverified and Reason(unverified),
        home=_at(copies, home),
        intended=intended,
    )


def _index(copy: Copy | None, index: dict[Copy, int]) -> int:
    return NO_COPY if copy is None else index.get(copy, ANOTHER_COPY)


def _at(copies: list[Copy], index: int) -> Copy | None:
    if index == ANOTHER_COPY:
        return Copy(0, 0, 0, 0)
    return None if index == NO_COPY else copies[index]
