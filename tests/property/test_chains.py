"""Chains in which a cluster in the middle lacks a copy that those below it have."""

from __future__ import annotations

import pytest

from dupscope.model.topology import Log, Topology
from property.reader import Reader
from property.world import KEY_DIGEST, NOW_MS, WINDOW_MS, Scenario, Tape, World
from support.brute import Oracle

CHAIN = Topology(
    "p",
    (Log("source", "a"), Log("b", "b", (0,)), Log("c", "c", (1,)), Log("d", "d", (2,))),
)


class TestChain:
    @pytest.mark.parametrize("logs", [(0, 0, 2, 3), (0, 2, 2, 3, 3), (0, 2, 3, 3), (0, 0, 2, 2, 3)])
    @pytest.mark.parametrize("each", [True, False], ids=["cycle by cycle", "at once"])
    def test_a_copy_without_origin_explains_those_below_it(self, logs: tuple[int, ...], each: bool) -> None:
        """What is copied from a copy whose own source is not known is no duplicate."""
        world = World(CHAIN, Scenario())
        reader = Reader(world)
        for number, log in enumerate(logs):
            delay = 5 if log == 0 and number else 0
            world._append(world.slot(log, 0), 1, NOW_MS + delay, 2 * KEY_DIGEST + 1)
            if each:
                world.sequence += 1
                reader.cycle(Tape(b"\xff" * 50), grow=False)
        assert reader.finish()
        assert reader.found() == Oracle(CHAIN, WINDOW_MS).truth(world.copies(), []).all_found()
