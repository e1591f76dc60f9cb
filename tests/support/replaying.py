"""Replays that are declared while the program runs, and what it says of intended duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableSequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import yaml

from support.agreement import difference
from support.dupscope_process import DupscopeProcess
from support.ledger_file import Case, named, read
from support.oracle import Replay, Where
from support.scenario import Checkpoint, Pipeline, Scenario
from support.waiting import wait_until

DECLARE_SECONDS = 60


def declare(
    scenario: Scenario,
    pipeline: Pipeline,
    declared: MutableSequence[Mapping[str, object]],
    *replays: Replay,
) -> None:
    """Write replays, in place of all before, into the configuration of the running program and to the oracle.

    `declared` is the list under `replays` in the scenario's further configuration, for the runs that follow.
    Returns when the program has said that it knows them.
    """
    known = len(scenario.dupscope.lines("replays_declared"))
    pipeline.flow = replace(pipeline.flow, replays=replays)
    declared[:] = [entry(pipeline.name, one) for one in replays]
    path = scenario.folder / "live" / "dupscope.yaml"
    document = yaml.safe_load(path.read_text())
    document["replays"] = list(declared)
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump(document))
    beside.replace(path)
    wait_until(
        lambda: len(scenario.dupscope.lines("replays_declared")) > known,
        DECLARE_SECONDS,
        "replays are declared",
    )
    assert scenario.dupscope.lines("replays_declared")[-1]["count"] == len(replays)


def entry(pipeline: str, replay: Replay) -> dict[str, object]:
    """A replay as the configuration has it."""
    begin, end = iso(replay.from_ms), iso(replay.to_ms)
    return {"pipeline": pipeline, "stage": replay.stage, "from": begin, "to": end, "reason": replay.reason}


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def assert_offline_tells_intent(scenario: Scenario, last: Checkpoint) -> None:
    """A second run over the finished logs reports the same, and its ledger file has every intended one."""
    config = scenario.write_configuration(scenario.folder / "second")
    ledger = config.with_name("ledger.jsonl")
    second = DupscopeProcess(config, "--until-caught-up", "--ledger", str(ledger), name="second")
    with closing(second):
        second.start()
        assert second.process.wait_exit(60) == 0, second.process.tail()
    assert difference(last.truth.extras, second.findings()) == {}
    cases = read(ledger)
    assert difference(last.truth.extras, marked(cases, "duplicate")) == {}
    intended = Counter[tuple[str, str]]()
    for (_, stage, reason), count in last.truth.intended.items():
        intended[stage, reason] += count
    assert told(cases) == +intended
    assert all(part["balanced"] is not False for case in cases for part in case["sinks"].values())


def things(case: Case) -> list[tuple[str, Case]]:
    """All copies and effects of a case, each with its stage."""
    found = [("source", copy) for copy in case["source"]]
    found += [(stage, copy) for stage, part in case["mirrors"].items() for copy in part["copies"]]
    return found + [(stage, effect) for stage, part in case["sinks"].items() for effect in part["effects"]]


def marked(cases: list[Case], mark: str) -> Counter[Where]:
    """The places of what has the mark."""
    return Counter(named(stage, thing) for case in cases for stage, thing in things(case) if thing[mark])


def told(cases: list[Case]) -> Counter[tuple[str, str]]:
    """Intended duplicates by stage and reason."""
    return Counter(
        (stage, str(thing["intended"]))
        for case in cases
        for stage, thing in things(case)
        if thing["intended"] is not None
    )
