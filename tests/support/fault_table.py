"""The second table in docs/verification.md: a row for each fault, written when all of them have passed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from support.verification import FAULTS, LAYERS, PATH, split

CASES = {
    ("no fault", "mock"): 1,
    ("no fault", "real"): 1,
    ("kill -9 at random moments", "mock"): 1,
    ("kill -9 at random moments", "real"): 1,
    ("kill -9 by itself at each step", "mock"): 15,
    ("SIGSTOP for two margins", "mock"): 1,
    ("wall clock moved and moved back", "mock"): 4,
    ("started while the clock was an hour ahead", "mock"): 1,
    ("broker away", "mock"): 1,
    ("leader moved", "mock"): 1,
    ("network cut", "mock"): 1,
    ("network slow", "mock"): 1,
    ("disk full for a while", "mock"): 1,
    ("killed and started while the disk is full", "mock"): 1,
    ("state folder deleted while running", "mock"): 1,
    ("broker killed and restarted", "real"): 1,
    ("network cut, refused, slow", "real"): 1,
    ("leader killed, moved, moved back", "real"): 1,
    ("program, MirrorMaker and sink killed", "real"): 1,
}
"""How many cases make up each row of the table. A case of no row here cannot hand in anything."""

INTRO = (
    FAULTS
    + """

Cases of `tests/faults`: a fault while traffic with planted duplicates of all three layers flows. A case
passes when the *set* of (stage, position) reported by all runs together equals the oracle's, when all
counters equal its numbers, when no scrape (one every 100 ms, through all restarts) showed more than was
planted by then, and when no counter ever fell. Between two kills at least one duplicate of each layer is
planted.

One case is judged by less: a program that is *started* under a clock an hour ahead knows no other time. What
it reads until the clock is set right is too old by it and not judged. There, every place reported must be a
duplicate, and those not reported must be no more than `unverified_total` says.

- **on**: librdkafka's mock brokers, or real Kafka.
- **cycles**: how often the fault came.
- **records**: committed records in both logs at the end.
- **planted**, **reported**: duplicates by layer: produce / mirror / consume.
- **false**, **missing**: places reported that are none, places not reported.
"""
)

HEADER = ("fault", "on", "cycles", "records", "planted", "reported", "false", "missing", "seconds")


@dataclass(frozen=True)
class Row:
    """What one case showed."""

    name: str
    cluster: str
    cycles: int
    records: int
    planted: dict[str, int]
    reported: dict[str, int]
    false: int
    missing: int
    seconds: float

    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            self.cluster,
            f"{self.cycles:,}",
            f"{self.records:,}",
            " / ".join(f"{self.planted[layer]:,}" for layer in LAYERS),
            " / ".join(f"{self.reported[layer]:,}" for layer in LAYERS),
            f"{self.false:,}",
            f"{self.missing:,}",
            f"{self.seconds:,.0f}",
        )


_rows: dict[tuple[str, str], list[Row]] = defaultdict(list)


def add(row: Row) -> None:
    """Hand in what a case that has passed showed."""
    name = row.name, row.cluster
    assert name in CASES, f"name {name} in CASES, so that the table waits for it"
    _rows[name].append(row)


def write() -> None:
    """Write the table if all cases have handed in theirs; the other table stays."""
    if {name: len(rows) for name, rows in _rows.items()} == CASES:
        scenarios, _ = split(PATH.read_text())
        PATH.write_text(scenarios + "\n" + render([together(_rows[name]) for name in CASES]))


def together(rows: list[Row]) -> Row:
    """The sum of the cases of one row."""
    return Row(
        rows[0].name,
        rows[0].cluster,
        sum(row.cycles for row in rows),
        sum(row.records for row in rows),
        {layer: sum(row.planted[layer] for row in rows) for layer in LAYERS},
        {layer: sum(row.reported[layer] for row in rows) for layer in LAYERS},
        sum(row.false for row in rows),
        sum(row.missing for row in rows),
        sum(row.seconds for row in rows),
    )


def render(rows: list[Row]) -> str:
    lines = [HEADER, tuple("---" for _ in HEADER), *(one.cells() for one in rows)]
    return INTRO + "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
