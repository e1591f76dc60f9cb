"""What every scenario asserts: the oracle's numbers at the end and offline, never more at any scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from support import verification
from support.dupscope_process import DupscopeProcess, Sample, Series, named, series, total
from support.ledger_file import expected_terms, places_of, read, terms
from support.oracle import Where
from support.scenario import EXACT, Checkpoint, Lists, Scenario
from support.waiting import DeadlineExceededError, wait_until

SETTLE_SECONDS = 60
NEVER_AHEAD = ("duplicates_total", "duplicate_effects_total", "missing_total", "unverified_total")
COMPARED = tuple(name for name in EXACT if name != "unkeyed_records_total")
"""Records without a key are compared by stage: the oracle has no words for its reasons."""


@dataclass(frozen=True)
class Ending:
    """What a scenario expects beside its last lists.

    `extra` has series that the lists cannot tell (what was recovered, holes); they take the place of the
    lists' own. With `offline` False there is no second run: the finished lists are no longer all of it.
    """

    extra: Mapping[Series, float] = field(default_factory=dict)
    offline: bool = True


def finish(scenario: Scenario, ending: Ending = Ending()) -> Checkpoint:
    """Everything has come to rest: assert all that holds for every scenario, then hand in its row."""
    last = scenario.checkpoint()
    expected = {**expected_metrics(last), **ending.extra}
    assert_settles(scenario, {name: value for name, value in expected.items() if value})
    assert_findings(scenario, last)
    scenario.scraper.stop()
    assert_never_ahead(scenario, ending.extra)
    assert_never_falls(scenario)
    assert_balanced(scenario)
    assert scenario.scraper.failed == []
    assert scenario.dupscope.process.stop(timeout=5) == 0
    if ending.offline:
        assert_offline_agrees(scenario, last)
    verification.add(verification.row(scenario, last))
    return last


def expected_metrics(checkpoint: Checkpoint) -> dict[Series, float]:
    """Every series that is not zero, of the metrics in EXACT that the lists tell."""
    values: dict[Series, float] = {}
    for name, lists in checkpoint.lists.items():
        values |= {
            series(metric, pipeline=name, **dict(labels)): v for (metric, labels), v in told(lists).items()
        }
    return {name: value for name, value in values.items() if value}


def told(lists: Lists) -> dict[tuple[str, frozenset[tuple[str, str]]], int]:
    """Values by metric and labels, the pipeline's apart."""
    values: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    for metric, labels, counts in tables(lists):
        for key, count in counts.items():
            told_labels = zip(labels, key if isinstance(key, tuple) else (key,), strict=True)
            values[metric, frozenset(told_labels)] += count
    return values


def tables(lists: Lists) -> Iterator[tuple[str, tuple[str, ...], Mapping[Any, int]]]:
    """Metric, labels, and counts by those labels' values."""
    truth = lists.truth
    for stage, records in lists.logs.items():
        read = Counter((stage, lists.flow.logical_topic(one.topic)) for one in records)
        yield "records_total", ("stage", "topic"), read
    yield "audit_lines_total", ("stage",), lists.audit_lines
    yield "duplicates_total", ("layer", "stage", "topic", "kind"), truth.duplicates
    yield "intended_duplicates_total", ("layer", "stage", "reason"), truth.intended
    yield "duplicate_effects_total", ("stage", "origin"), truth.effects
    yield "sink_extra_copies_total", ("stage",), truth.extra_copies
    yield "missing_total", ("layer", "stage"), {("mirror", name): n for name, n in truth.missing.items()}
    yield "unverified_total", ("layer", "stage", "reason"), truth.unverified


def differences(
    expected: Mapping[Series, float], shown: Mapping[Series, float]
) -> dict[str, tuple[float, float]]:
    """Series by their text: (expected, shown) where they differ."""
    return {
        f"{name}{dict(sorted(labels))}": (expected.get((name, labels), 0), shown.get((name, labels), 0))
        for name, labels in expected.keys() | shown.keys()
        if expected.get((name, labels), 0) != shown.get((name, labels), 0)
    }


def assert_settles(scenario: Scenario, expected: Mapping[Series, float]) -> None:
    """Its numbers become the expected ones, and stay so while it goes on."""

    def wrong() -> dict[str, tuple[float, float]]:
        return differences(expected, named(scenario.scraper.last, *COMPARED))

    try:
        wait_until(lambda: not wrong(), SETTLE_SECONDS, "numbers are equal")
    except DeadlineExceededError:
        assert wrong() == {}
        raise
    scenario.scraper.more(30)
    assert wrong() == {}


def assert_findings(scenario: Scenario, last: Checkpoint) -> None:
    """The set of places is the oracle's, and so is the number of records without a key."""
    for name, lists in last.lists.items():
        assert difference(lists.truth.extras, scenario.dupscope.findings(name)) == {}
        for stage in lists.logs:
            shown = total(scenario.scraper.last, "unkeyed_records_total", pipeline=name, stage=stage)
            assert (stage, shown) == (stage, lists.truth.unkeyed[stage])


def difference(expected: Counter[Where], found: Counter[Where]) -> dict[Where, tuple[int, int]]:
    """(expected, found) of the places where they differ."""
    places = expected.keys() | found.keys()
    return {where: (expected[where], found[where]) for where in places if expected[where] != found[where]}


def assert_never_ahead(scenario: Scenario, extra: Mapping[Series, float]) -> None:
    """No scrape showed more than there was, by then or before, in the lists taken after it."""
    begin = 0
    allowed: dict[Series, float] = dict(extra)
    for checkpoint in scenario.checkpoints:
        assert checkpoint.scrapes > begin, "nothing was scraped between two looks at the lists"
        for name, value in expected_metrics(checkpoint).items():
            allowed[name] = max(value, allowed.get(name, 0))
        for sample in scenario.scraper.samples[begin : checkpoint.scrapes]:
            shown = named(sample, *NEVER_AHEAD)
            assert {name: value for name, value in shown.items() if value > allowed.get(name, 0)} == {}
        begin = checkpoint.scrapes


def assert_never_falls(scenario: Scenario) -> None:
    samples = scenario.scraper.samples
    for earlier, later in pairwise(samples):
        assert fallen(earlier, later) == {}


def fallen(earlier: Sample, later: Sample) -> dict[Series, tuple[float, float]]:
    """Counters that fell or went away."""
    return {
        name: (value, later.get(name, 0))
        for name, value in earlier.items()
        if name[0].endswith("_total") and later.get(name, 0) < value
    }


def assert_balanced(scenario: Scenario) -> None:
    """The identity held for every case at every scrape."""
    for sample in scenario.scraper.samples:
        assert total(sample, "ledger_unbalanced_cases") == 0


def suspects_seen(scenario: Scenario, stage: str, layer: str = "mirror") -> bool:
    """Whether some scrape showed a suspect there: that the barrier had something to hold back."""
    return any(total(one, "suspects", stage=stage, layer=layer) for one in scenario.scraper.samples)


def assert_offline_agrees(scenario: Scenario, last: Checkpoint, folder: str = "second") -> None:
    """A second run over lists that have come to rest, with no state of the first, writes the same."""
    config = scenario.write_configuration(scenario.folder / folder)
    ledger = config.with_name("ledger.jsonl")
    second = DupscopeProcess(config, "--until-caught-up", "--ledger", str(ledger), name="second")
    with closing(second):
        second.start()
        assert second.process.wait_exit(60) == 0, second.process.tail()
    cases = read(ledger)
    for name, lists in last.lists.items():
        assert difference(lists.truth.extras, second.findings(name)) == {}
        own = [case for case in cases if case["pipeline"] == name]
        sinks = placed_sinks(lists)
        expected = {
            where: n for where, n in lists.truth.extras.items() if where.stage in {*lists.logs, *sinks}
        }
        assert difference(Counter(expected), places_of(own, sinks)) == {}
        for sink in lists.flow.sinks:
            assert_terms(terms(own, sink), lists, sink)


def placed_sinks(lists: Lists) -> set[str]:
    """Sinks whose repeats have in the ledger file the place that findings give.

    An effect's own record may be another copy of its lineage where a sink reads several logs; an effect
    without position has none at all.
    """
    effects = lists.effects
    placed = {sink for sink, acts in effects.items() if all(one.where is not None for one in acts)}
    return {sink for sink in placed if len(lists.flow.sinks[sink]) == 1}


def assert_terms(sums: Counter[str], lists: Lists, sink: str) -> None:
    """A sink's sums over all cases of the ledger file; no case is out of balance."""
    truth, mirrors = lists.truth, list(lists.flow.mirrors)
    if len(mirrors) == 1 and lists.flow.sinks == {sink: tuple(mirrors)}:
        assert sums == expected_terms(truth, mirrors[0], sink)
        return
    origins = {f"origin {name}": count for (stage, name), count in truth.effects.items() if stage == sink}
    consume = sum(count for (_, stage, *_), count in truth.duplicates.items() if stage == sink)
    expected = Counter(origins)
    expected.update(consume=consume, absorbed=truth.absorbed[sink], extra_effects=sum(origins.values()))
    log_terms = {"produce", "mirror", "missing"}
    assert Counter({name: n for name, n in sums.items() if name not in log_terms}) == +expected
