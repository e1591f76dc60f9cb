"""What `dupscope verify` compares is equal, at whatever moment of whatever history it looks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import event, given
from hypothesis import strategies as st

from dupscope.app.verify_state import TOLD_BY_NOBODY_ELSE, UNPLACED
from dupscope.forensics.comparison import Comparison, Extent, Stored
from dupscope.forensics.oracle import Oracle
from dupscope.forensics.sample import Sample
from dupscope.forensics.verify import Comparer
from property.reader import Reader
from property.settings import settings_profile
from property.shapes import SHAPES
from property.test_ledger import CHOICES, DOUBTFUL, SCENARIOS, run
from property.world import WINDOW_MS

settings_profile()

ALL = {**SCENARIOS, **DOUBTFUL}
KEYS = 100
ONE_LOG_A_SINK = sorted(
    name for name, shape in SHAPES.items() if all(len(sink.reads) == 1 for sink in shape.sinks)
)


class Look:
    """A commit of a reader: how far it was, and what it had found."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._positions = list(reader.state.positions)
        self._lines = list(reader.state.lines)
        self._then = frozenset(finding.id for _, finding in reader.notes.findings)

    def sample(self) -> Sample:
        """All keys, read again from where the reader began."""
        world, sample = self._reader.world, Sample(KEYS, 1, self._reader.table.partitions)
        for index, slot in enumerate(world.slots):
            copies = [copy for _, copy in slot.records if copy.where.offset >= self._reader.begun[index]]
            new = np.array([copy.where.offset >= self._positions[index] for copy in copies], np.bool_)
            if copies:
                sample.records(self._reader._records(slot.log, copies), new)
        sample.settle()
        for sink, lines in enumerate(world.audit):
            effects = [effect for _, effect in lines]
            new = np.arange(len(effects)) >= self._lines[sink]
            if effects:
                sample.effects(self._reader._effects(sink, effects), new)
        return sample

    def compared(self, *, without: str = "") -> Comparison:
        """With all that the reader has found by now, but one finding."""
        reader, world = self._reader, self._reader.world
        extent = Extent(
            dict(enumerate(self._positions)),
            dict(enumerate(reader.begun)),
            {"t": max(start or 0 for start in reader.covered_since)},
        )
        counted, of_effects = Counter[str](), Counter[str]()
        for (stage, reason), count in reader.notes.unverified.items():
            counted[reason] += count
            of_effects[reason] += count * (stage in {sink.name for sink in world.topology.sinks})
        unverified = sum(counted[str(reason)] for reason in TOLD_BY_NOBODY_ELSE)
        unverified += reader.ledger.held.retention.evictions
        unplaced = sum(of_effects[str(reason)] for reason in UNPLACED)
        oracle = Oracle(world.topology, WINDOW_MS, world.scenario.margin_ms)
        findings = [finding for _, finding in reader.notes.findings if finding.id != without]
        stored = Stored(findings, self._then, unverified=unverified, unplaced=unplaced)
        return Comparer(oracle, reader.table.partitions, extent).compare(self.sample(), stored)


class TestVerify:
    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(ALL)), CHOICES)
    def test_it_never_cries_wolf(self, shape: str, scenario: str, choices: bytes) -> None:
        """Beside a reader at any moment, and behind one that has read all: nothing missing, nothing false."""
        reader = run(shape, ALL[scenario], choices)
        beside = Look(reader)
        assert reader.finish()
        behind = Look(reader)

        for look in (beside, behind):
            result = look.compared()
            assert (result.missing, result.false) == ([], [])
            for reason in result.left_out:
                event(f"left out: {reason}")
            event("compared findings" if result.expected else "nothing to find")

    @given(st.sampled_from(ONE_LOG_A_SINK), st.sampled_from(["plain", "crossing"]), CHOICES)
    def test_it_notices_what_is_missing(self, shape: str, scenario: str, choices: bytes) -> None:
        """Any single finding, where all keys can be compared and no effect has a wrong position."""
        reader = run(shape, replace(ALL[scenario], odd_effects=False), choices)
        assert reader.finish()
        look = Look(reader)
        compared = look.compared()
        for _, finding in reader.notes.findings[:20]:
            result = look.compared(without=finding.id)
            if not compared.left_out:
                assert [one.id for one in result.missing] == [finding.id]
