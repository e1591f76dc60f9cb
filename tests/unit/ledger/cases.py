"""One key's case on a desk, with everything read: for the steps of the judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dupscope.ledger.case import Case, Copy, Effect
from dupscope.ledger.conclude import Concluder
from dupscope.ledger.judge import Verdict, judge
from dupscope.ledger.outcome import Outcome
from dupscope.ledger.view import View
from dupscope.model.finding import Reason
from dupscope.model.position import pack
from dupscope.model.topology import Topology
from unit.ledger.world import NOW, NUMBERS, PAIR, SETTINGS, content_of, digest, partition_table

KEY = "p"


class Desk:
    """Copies and effects of one key; all barriers have passed unless `view` is changed."""

    def __init__(self, topology: Topology = PAIR) -> None:
        self.topology = topology
        self.table = partition_table(topology)
        self.case = Case(digest(KEY), digest(KEY[::-1]), slot=0)
        self._next = [0] * len(self.table)
        everything = np.full(len(self.table), 1 << 40, np.int64)
        nothing = np.zeros(len(self.table), np.int64)
        logs, sinks = len(topology.logs), len(topology.sinks)
        self.view = View(
            topology=topology,
            settings=SETTINGS,
            partitions=self.table,
            covered_since=(None,) * logs,
            judged_until=(everything,) * logs,
            effects_through=(1 << 40,) * sinks,
            frontier=(nothing,) * logs,
            gone_past=(nothing,) * sinks,
            truncated=frozenset(),
            lost_effect=lambda _: Reason.NO_COPY,
        )

    @property
    def copies(self) -> list[Copy]:
        return self.case.copies

    def record(self, log: int, at: int = 0, value: str = "10 EUR", partition: int = 0) -> Desk:
        slot = log * NUMBERS + partition
        position = pack(slot, self._next[slot])
        self._next[slot] += 1
        self.case.add(Copy(log, position, NOW + at, content_of(KEY, value)))
        return self

    def source(self, at: int = 0, value: str = "10 EUR", partition: int = 0) -> Desk:
        return self.record(0, at, value, partition)

    def mirror(self, at: int = 0, value: str = "10 EUR", partition: int = 0) -> Desk:
        return self.record(1, at, value, partition)

    def effect(self, copy: Copy | None, at: int = 0, effect_id: int = 0, cycle: int = 1) -> Desk:
        position = copy.position if copy else 0
        self.case.add(Effect(0, position, NOW + at, effect_id, cycle))
        return self

    def of(self, log: int) -> list[Copy]:
        return [copy for copy in self.case.copies if copy.log == log]

    def seen(self, **changes: object) -> Desk:
        """Change what the judgement may rest on."""
        self.view = replace(self.view, **changes)
        return self

    def judge(self) -> Verdict:
        return judge(self.case, self.view)

    def conclude(self) -> Outcome:
        outcome = Outcome()
        Concluder(self.view, outcome, NOW).conclude(self.case, self.judge())
        return outcome

    def name(self, copy: Copy) -> str:
        """A copy as text: `dr[0]@1`."""
        return str(self.table.position(copy.position))
