"""The oracle of `dupscope verify` says what that of the tests says. They share nothing with the ledger."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dupscope.forensics.oracle import Copy, Effect, Oracle, Truth
from property.settings import settings_profile
from property.shapes import SHAPES
from property.world import WINDOW_MS, Scenario, Tape, World
from support import brute

settings_profile()

CHOICES = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 2**32 - 1), st.integers(50, 700)
) | st.binary(min_size=20, max_size=700)
SCENARIOS = {
    "plain": Scenario(),
    "crossing": Scenario(crossing=True, partitions=3),
    "garbling": Scenario(garbling=True),
    "positionless": Scenario(positionless=True, disorder_ms=1),
}
NO_MARGIN_MS = 0
"""The tests' oracle knows none for effects without position that come too early."""


def grown(shape: str, scenario: str, choices: bytes) -> World:
    world, tape = World(SHAPES[shape], SCENARIOS[scenario]), Tape(choices)
    while not tape.over:
        world.step(tape)
    return world


def packed(where: brute.Where | None) -> int:
    return 0 if where is None else (where.log << 40) + (where.partition << 20) + where.offset + 1


def told(world: World, key: int) -> Truth:
    """What the oracle says of one key."""
    copies = [
        Copy(
            copy.where.log,
            packed(copy.where),
            (copy.where.partition, copy.where.offset, str(copy.where.log), ""),
            copy.timestamp,
            copy.content,
        )
        for copy in world.copies()
        if copy.key == key
    ]
    effects = [
        Effect(effect.sink, packed(effect.where), effect.at, effect.effect_id)
        for effect in world.effects()
        if effect.key == key
    ]
    return Oracle(world.topology, WINDOW_MS, NO_MARGIN_MS).judge(copies, effects)


class TestOracle:
    @given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(SCENARIOS)), CHOICES)
    def test_it_says_what_the_other_says(self, shape: str, scenario: str, choices: bytes) -> None:
        """Stage, position and ordinal of every duplicate; the number of repeats without positions."""
        world = grown(shape, scenario, choices)
        truth = brute.Oracle(world.topology, WINDOW_MS).truth(world.copies(), world.effects())
        counted: Counter[tuple[int, int]] = Counter()
        for (sink, key, _), count in truth.floating.items():
            counted[sink, key] += count
        sinks = [sink.name for sink in world.topology.sinks]
        for key in {copy.key for copy in world.copies()}:
            found = told(world, key).duplicates
            numbered = Counter(one.stage for one in found if one.ordinal and SCENARIOS[scenario].positionless)
            placed = {(one.stage, one.known_as[0], one.ordinal) for one in found if one.stage not in numbered}
            assert placed == {(one.stage, packed(one.where), one.ordinal) for one in truth.found[key]}
            assert numbered == +Counter({name: counted[sink, key] for sink, name in enumerate(sinks)})
            assert len(found) == len(placed) + numbered.total()
