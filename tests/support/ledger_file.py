"""Reading the file of `dupscope run --ledger`, to compare it with the oracle's truth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from support.oracle import SOURCE, Truth, Where

Case = dict[str, Any]


def read(path: Path) -> list[Case]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def places(cases: list[Case], topics: dict[str, str]) -> Counter[Where]:
    """The duplicates, by place as findings give it; `topics` has the physical topic by stage."""
    found: Counter[Where] = Counter()
    for case in cases:
        found.update(marked(SOURCE, topics, case["source"]))
        for mirror, part in case["mirrors"].items():
            found.update(marked(mirror, topics, part["copies"]))
        for sink, part in case["sinks"].items():
            found.update(at(sink, topics, repeats(part["effects"])))
    return found


def places_of(cases: list[Case], sinks: Collection[str]) -> Counter[Where]:
    """The duplicates by place, under the topics that the lines name; of all sinks only those in `sinks`."""
    found: Counter[Where] = Counter()
    for case in cases:
        stages = {SOURCE: case["source"], **{name: part["copies"] for name, part in case["mirrors"].items()}}
        for stage, copies in stages.items():
            found.update(named(stage, copy) for copy in copies if copy["duplicate"])
        for sink in case["sinks"].keys() & sinks:
            found.update(named(sink, effect) for effect in repeats(case["sinks"][sink]["effects"]))
    return found


def named(stage: str, thing: Case) -> Where:
    return Where(stage, thing["topic"], thing["partition"], thing["offset"])


def marked(stage: str, topics: dict[str, str], copies: list[Case]) -> Iterator[Where]:
    return at(stage, topics, (copy for copy in copies if copy["duplicate"]))


def repeats(effects: list[Case]) -> Iterator[Case]:
    return (effect for effect in effects if effect["origin"] == "consume")


def at(stage: str, topics: dict[str, str], things: Iterable[Case]) -> Iterator[Where]:
    return (Where(stage, topics[stage], thing["partition"], thing["offset"]) for thing in things)


def terms(cases: list[Case], sink: str) -> Counter[str]:
    """Sums of what one sink has in all cases: terms of the identity, origins, cases out of balance."""
    sums: Counter[str] = Counter()
    for part in (case["sinks"][sink] for case in cases if sink in case["sinks"]):
        sums.update({name: part[name] for name in ("produce", "mirror", "consume", "missing", "absorbed")})
        sums.update({f"origin {name}": count for name, count in part["origins"].items()})
        sums["extra_effects"] += part["extra_effects"]
        sums["unbalanced"] += part["balanced"] is False
    return +sums


def expected_terms(truth: Truth, mirror: str, sink: str) -> Counter[str]:
    """The same sums by the oracle, for a pipeline of one mirror and a sink that reads it."""
    sums = Counter({layer: truth.layer(layer) for layer in ("produce", "mirror", "consume")})
    sums.update({f"origin {name}": count for (_, name), count in truth.effects.items()})
    sums.update({"missing": truth.deficit[mirror], "absorbed": truth.absorbed[sink]})
    sums["extra_effects"] = truth.effects.total()
    return +sums
