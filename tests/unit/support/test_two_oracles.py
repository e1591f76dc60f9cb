"""Two oracles, written apart from each other, say the same of random histories."""

from __future__ import annotations

import json
import random
from collections import Counter

from dupscope.model.topology import Log, Sink, Topology
from support import brute, oracle
from support.dump import Dumped

STAGES = ("source", "b", "c")
READS = {"far": ("c",), "both": ("source", "b")}
FLOW = oracle.Flow(("id",), {"b": "source", "c": "b"}, READS)
TOPOLOGY = Topology(
    "payments",
    (Log("source", "x"), Log("b", "y", (0,)), Log("c", "z", (1,))),
    tuple(Sink(name, tuple(STAGES.index(stage) for stage in reads)) for name, reads in READS.items()),
)
WINDOW_MS = 10**9


def history(draw: random.Random) -> tuple[list[brute.Copy], list[brute.Effect]]:
    """A few keys, copied well and badly, and effects on what the sinks can read."""
    ends = [[0, 0] for _ in STAGES]

    def appended(log: int, copy: brute.Copy, partition: int) -> brute.Copy:
        offset = ends[log][partition]
        ends[log][partition] += 1
        return copy._replace(where=brute.Where(log, partition, offset))

    copies: list[brute.Copy] = []
    for _ in range(draw.randrange(1, 8)):
        key = draw.randrange(1, 4)
        blank = brute.Copy(brute.Where(0, 0, 0), draw.randrange(1, 4), key, key << 32 | draw.randrange(1, 3))
        copies.append(appended(0, blank, draw.randrange(2)))
    for log in (1, 2):
        for copy in [one for one in copies if one.where.log == log - 1]:
            for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
                changed = copy if draw.random() < 0.8 else copy._replace(timestamp=draw.randrange(5, 7))
                partition = copy.where.partition if draw.random() < 0.8 else 1 - copy.where.partition
                copies.append(appended(log, changed, partition))
    return copies, effects_on(copies, draw)


def effects_on(copies: list[brute.Copy], draw: random.Random) -> list[brute.Effect]:
    effects = []
    for sink, reads in enumerate(READS.values()):
        for copy in copies:
            if STAGES[copy.where.log] in reads:
                for _ in range(draw.choice((0, 1, 1, 2))):
                    effect_id = draw.randrange(4)
                    effects.append(brute.Effect(sink, copy.where, 0, copy.key, effect_id))
    draw.shuffle(effects)
    return effects


def as_record(copy: brute.Copy) -> Dumped:
    value = json.dumps({"id": copy.key, "payload": copy.payload}).encode()
    return Dumped("t", copy.where.partition, copy.where.offset, copy.timestamp, b"k", value)


def place(stage: str, where: brute.Where) -> oracle.Where:
    return oracle.Where(stage, "t", where.partition, where.offset)


def judged(copies: list[brute.Copy], effects: list[brute.Effect]) -> oracle.Truth:
    logs = {stage: [as_record(c) for c in copies if c.where.log == n] for n, stage in enumerate(STAGES)}
    lists = {
        name: [
            oracle.Effect(place(STAGES[e.where.log], e.where), str(e.effect_id) if e.effect_id else None)
            for e in effects
            if e.sink == sink and e.where is not None
        ]
        for sink, name in enumerate(READS)
    }
    return oracle.judge(FLOW, logs, lists)


def places(truth: brute.Truth) -> Counter[oracle.Where]:
    return Counter(place(found.stage, found.where) for found in truth.all_found())


def origins(truth: brute.Truth) -> Counter[tuple[str, str]]:
    return Counter(
        (name, origin)
        for case in truth.cases
        for sink, name in enumerate(READS)
        for origin in case.sinks[sink].origins.elements()
    )


def scattered(copies: list[brute.Copy]) -> bool:
    """Whether equal copies lie in several partition numbers: what is missing then, is open to doubt.

    The one oracle takes a copy that changed its partition for a witness, the other does not.
    """
    homes: dict[tuple[object, ...], int] = {}
    for copy in copies:
        label = copy.timestamp, copy.content
        if homes.setdefault(label, copy.where.partition) != copy.where.partition:
            return True
    return False


class TestAgreement:
    def test_places_losses_origins_and_terms_are_the_same(self):
        for _ in range(500):
            seed = random.getrandbits(64)
            copies, effects = history(random.Random(seed))
            one, other = judged(copies, effects), brute.Oracle(TOPOLOGY, WINDOW_MS).truth(copies, effects)
            assert one.extras == places(other), seed
            if not scattered(copies):
                assert +one.missing == Counter(STAGES[log] for log, _ in other.missing), seed
            assert one.effects == origins(other), seed
            for number, name in enumerate(READS):
                terms = [case.sinks[number] for case in other.cases]
                assert one.absorbed[name] == sum(term.absorbed for term in terms), seed
