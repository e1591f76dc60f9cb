"""The keys that left the norm, and the way out of it and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.caserecord import case_of, case_record
from dupscope.ledger.judge import Verdict
from dupscope.ledger.rows import CASE, LACKING, NO_POSITION, REDRIVEN, Rows, unexplained
from dupscope.model.finding import Reason
from dupscope.model.plain import Plain
from dupscope.model.topology import Topology


class Casebook:
    """Cases by the slot of their row. The row keeps the place of the key in the index."""

    def __init__(self, topology: Topology, rows: Rows) -> None:
        self._topology = topology
        self._rows = rows
        self.cases: dict[int, Case] = {}
        self.nbytes = 0
        self.suspects: Counter[int] = Counter()
        self.next_serial = 0

    def open(self, slot: int, fp: tuple[int, int], cycle: int) -> Case:
        """The case of a row; the row's copies and effects move into a new one if it was in the norm."""
        case = self.cases.get(slot)
        if case is None:
            case = Case(*fp, slot=slot)
            copies = self._copies(slot)
            items: list[Copy | Effect] = [*copies, *self._effects(slot, cycle, copies)]
            for item in items:
                case.add(item)
            self._rows.state[slot] = CASE
            self._place(case, slot)
            self.nbytes += case.nbytes
        return case

    def add(self, case: Case, item: Copy | Effect) -> None:
        """Put one more copy or effect into a case."""
        before = case.nbytes
        case.add(item)
        self.nbytes += case.nbytes - before
        self.touch(case)

    def touch(self, case: Case) -> None:
        """A case has changed since it was exported."""
        self._rows.touch(np.array([case.slot]))

    def judged(self, case: Case, before: frozenset[int]) -> None:
        """Keep the number of suspects by stage true after a judgement."""
        self.suspects.subtract(before - case.suspects)
        self.suspects.update(case.suspects - before)
        self.touch(case)

    def close(self, slot: int) -> Case:
        """Forget a case; its row is left to whoever frees it."""
        case = self.cases.pop(slot)
        self.touch(case)
        case.slot = -1
        self.nbytes -= case.nbytes
        self.suspects.subtract(case.suspects)
        case.suspects = frozenset()
        return case

    def move(self, slot: int, to: int) -> None:
        """Follow a row to another slot."""
        self._place(self.cases.pop(slot), to)

    def _place(self, case: Case, slot: int) -> None:
        """Give a case its place, and the last one in the order of cases."""
        case.slot, case.serial = slot, self.next_serial
        self.next_serial += 1
        self.cases[slot] = case
        self.touch(case)

    def export(self, blocks: Collection[int]) -> Callable[[int], list[Plain]]:
        """Gives the cases of each of some blocks, after the numbers of their rows, until cases change."""
        slots: dict[int, list[int]] = {block: [] for block in blocks}
        for slot in self.cases:
            block = self._rows.block_of(slot)
            if block in slots:
                slots[block].append(slot)

        def cases_of(block: int) -> list[Plain]:
            return [[self._rows.number_of(slot), case_record(self.cases[slot])] for slot in slots[block]]

        return cases_of

    def restore(self, records: Iterable[Any], first: int) -> None:
        """Take cases that were exported. Those of rows before `first` were closed or moved since."""
        for number, record in records:
            if number < first:
                continue
            case = case_of(record, number % self._rows.capacity)
            self.cases[case.slot] = case
            self.nbytes += case.nbytes
            self.suspects.update(case.suspects)

    def in_order(self, next_serial: int) -> None:
        """Put restored cases into the order in which they took their places."""
        self.cases = dict(sorted(self.cases.items(), key=lambda item: item[1].serial))
        self.next_serial = next_serial

    def settle(self, case: Case, verdict: Verdict) -> bool:
        """Return a case to its row if nothing sets it apart any more; true if done."""
        slot = case.slot
        if case.suspects or case.hot or not _is_plain(case, verdict, self._topology):
            return False
        self._write_back(slot, case, verdict)
        self.close(slot)
        return True

    def _copies(self, slot: int) -> list[Copy]:
        rows = self._rows
        timestamp, content = rows.timestamp_of(slot), int(rows.content[slot])
        copies = [
            Copy(log, int(rows.position[log][slot]), timestamp, content)
            for log in range(len(self._topology.logs))
            if rows.position[log][slot]
        ]
        for copy in copies:
            if self._topology.is_source(copy.log):
                copy.redriven = bool(rows.state[slot] & REDRIVEN)
                sinks = range(len(self._topology.sinks))
                copy.lacking = frozenset(sink for sink in sinks if rows.read[sink][slot] == LACKING)
                continue
            alone = not any(rows.position[log][slot] for log in self._topology.logs[copy.log].upstream)
            if alone and rows.state[slot] & unexplained(copy.log):
                copy.unverified = Reason.NOT_IN_SOURCE
        return copies

    def _effects(self, slot: int, cycle: int, copies: list[Copy]) -> list[Effect]:
        rows, found = self._rows, []
        closed = {copy.log for copy in copies if copy.unverified}
        timestamp = rows.timestamp_of(slot)
        for sink in range(len(self._topology.sinks)):
            read = int(rows.read[sink][slot])
            if read and read != LACKING:
                position = 0 if read == NO_POSITION else int(rows.position[read - 1][slot])
                at = timestamp + int(rows.at[sink][slot])
                effect = Effect(sink, position, at, int(rows.effect_id[sink][slot]), cycle)
                if read != NO_POSITION and closed & {read - 1, *self._topology.above(read - 1)}:
                    effect.unverified = Reason.NOT_IN_SOURCE
                found.append(effect)
        return found

    def _write_back(self, slot: int, case: Case, verdict: Verdict) -> None:
        rows, where = self._rows, np.array([slot])
        source = verdict.windows[0].window.sources[0]
        rows.state[slot] = REDRIVEN if source.redriven else 0
        rows.content[slot] = source.content
        rows.set_timestamp(where, np.array([source.timestamp]))
        for log in range(len(self._topology.logs)):
            rows.position[log][slot] = 0
        for copy in case.copies:
            rows.position[copy.log][slot] = copy.position
        for sink in range(len(self._topology.sinks)):
            rows.read[sink][slot] = LACKING if sink in source.lacking else 0
        for effect in case.effects:
            read = next((1 + c.log for c in case.copies if c.position == effect.position), NO_POSITION)
            rows.read[effect.sink][slot] = read
            rows.effect_id[effect.sink][slot] = effect.effect_id
            rows.at[effect.sink][slot] = min(max(effect.at - source.timestamp, 0), 0xFFFFFFFF)


def _is_plain(case: Case, verdict: Verdict, topology: Topology) -> bool:
    """One source copy, at most one faithful copy in each mirror, at most one effect a sink, no trace."""
    if len(verdict.windows) != 1 or verdict.lost_copies or verdict.lost_effects:
        return False
    part = verdict.windows[0]
    logs = [copy.log for copy in case.copies]
    sinks = [effect.sink for effect in case.effects]
    origins = sum(topology.is_source(log) for log in logs)
    if origins != 1 or len(set(logs)) < len(logs) or len(set(sinks)) < len(sinks):
        return False
    if any(mirror.by_count or mirror.excess or mirror.orphans for mirror in part.mirrors.values()):
        return False
    touched = any(copy.unverified or copy.missing or copy.counted for copy in case.copies)
    return not touched and not any(effect.unverified for effect in case.effects)
