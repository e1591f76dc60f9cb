"""The table in docs/verification.md: a row for each scenario, written when all of them have passed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from support.artifacts import DEFAULT_VERSION, kafka_version
from support.dupscope_process import Sample
from support.scenario import Checkpoint, Scenario

PATH = Path(__file__).resolve().parents[2] / "docs" / "verification.md"
LAYERS = ("produce", "mirror", "consume")

SCENARIOS = (
    "active-active",
    "added",
    "again-fewer",
    "again-more",
    "append above",
    "append below",
    "audit in Postgres",
    "audit in a topic",
    "chain",
    "clean",
    "compacted",
    "cycle",
    "exactly once",
    "failover",
    "fan-out",
    "grown",
    "hot key",
    "intended",
    "loss",
    "main job",
    "no positions",
    "odd times",
    "patterns",
    "produce",
    "refilled",
    "return",
    "source positions",
    "start 1h",
    "start earliest",
    "start latest",
    "three agents",
    "transactions",
    "trimmed",
    "two mirrors",
)
"""Every scenario of the table. One that is not named here cannot hand in a row."""

INTRO = """# Verification

Scenarios on real Kafka and real MirrorMaker 2, and what the program said about each. The tests in
`tests/kafka` write this file, at the end of a run in which every scenario passed; do not edit. Each run draws
its own records and kills its processes where they happen to be, so numbers differ from run to run.

A scenario passes when the *set* of (stage, position) that was reported equals the one that follows from an
independent dump of the logs and from the sinks' own lists; when all counters equal theirs; when no scrape
(one every 100 ms) showed more than there was; when no counter ever fell; when the identity held for every
case; and when a second run over the finished logs says the same.

- **records**: committed records at the end, by stage; for a sink its effects.
- **planted**: duplicates in the logs and lists, by layer: produce / mirror / consume.
- **reported**: duplicates that the program counted, likewise. Equal, or the scenario fails; less only for a
  hot key, whose other copies are unverified.
- **unverified**: what the program counted as unverified, by reason.
- **scrapes**: looks at its metrics during the scenario.
"""


@dataclass(frozen=True)
class Row:
    """What one scenario showed."""

    name: str
    records: dict[str, int]
    planted: dict[str, int]
    reported: dict[str, int]
    unverified: dict[str, int]
    scrapes: int
    kafka: str

    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            ", ".join(f"{stage} {count:,}" for stage, count in self.records.items()),
            " / ".join(f"{self.planted[layer]:,}" for layer in LAYERS),
            " / ".join(f"{self.reported[layer]:,}" for layer in LAYERS),
            ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.unverified.items())) or "none",
            f"{self.scrapes:,}",
            self.kafka,
        )


FAULTS = "## Faults"
"""The heading before what tests of faults write into the same file."""

HEADER = ("scenario", "records", "planted", "reported", "unverified", "scrapes", "Kafka")

_rows: dict[str, Row] = {}


def row(scenario: Scenario, last: Checkpoint) -> Row:
    """The row of a scenario, by its last lists and its last scrape."""
    records: Counter[str] = Counter()
    for lists in last.lists.values():
        records.update({stage: len(found) for stage, found in lists.logs.items()})
        records.update({sink: len(found) for sink, found in lists.effects.items()})
    planted = {layer: sum(lists.truth.layer(layer) for lists in last.lists.values()) for layer in LAYERS}
    shown = by_label(scenario.scraper.last, "duplicates_total", "layer")
    return Row(
        scenario.name,
        dict(sorted(records.items())),
        planted,
        {layer: shown[layer] for layer in LAYERS},
        +by_label(scenario.scraper.last, "unverified_total", "reason"),
        len(scenario.scraper.samples),
        kafka_version(),
    )


def by_label(sample: Sample, metric: str, label: str) -> Counter[str]:
    """A metric's sums by the values of one label."""
    sums: Counter[str] = Counter()
    for (name, labels), value in sample.items():
        if name == f"dupscope_{metric}":
            sums[dict(labels)[label]] += int(value)
    return sums


def add(one: Row) -> None:
    """Hand in the row of a scenario that has passed."""
    assert one.name in SCENARIOS, f"name {one.name!r} in SCENARIOS, so that the table waits for it"
    _rows[one.name] = one


def write() -> None:
    """Write the table if every scenario has handed in its row, on the version that is always tested."""
    if _rows.keys() == set(SCENARIOS) and kafka_version() == DEFAULT_VERSION:
        _, faults = split(PATH.read_text())
        PATH.write_text(render([_rows[name] for name in sorted(_rows)]) + faults)


def split(text: str) -> tuple[str, str]:
    """What the file says of scenarios, and of faults: empty where no test of faults has written yet."""
    scenarios, heading, faults = text.partition(FAULTS)
    return scenarios.rstrip("\n") + "\n", f"\n{heading}{faults}" if heading else ""


def render(rows: list[Row]) -> str:
    lines = [HEADER, tuple("---" for _ in HEADER), *(one.cells() for one in rows)]
    return INTRO + "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
