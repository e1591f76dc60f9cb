"""The figures of `make bench` as tables: medians of the rounds. A ratio is taken within a round."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

CONTESTANTS = {
    "bare": "consume(1000), every record dropped",
    "naive": "poll, json.loads, a dict",
    "source": "dupscope, source",
    "source_unstored": "the same, nothing stored",
    "mirror": "dupscope, source and mirror (twice the records)",
    "mirror_unstored": "the same, nothing stored",
}
AIMS = {"bare": 0.25, "naive": 3.0}
BYTES_AIM = 60
DURABILITY_AIM = 0.15
REBUILD_AIM = 1_000_000
JOURNAL = "journal"
PARTS_OF_A_KEY = 3
"""Records and effects that a key has when rebuilding is measured."""

Figures = dict[str, float]
Round = dict[str, Figures]


def ratio(rounds: list[Round], reference: str, name: str, clock: str) -> float:
    """How many times as many records a second `name` reads as `reference`."""
    read = logs(name) / logs(reference)
    return median(each[reference][clock] / each[name][clock] * read for each in rounds)


def logs(name: str) -> int:
    """In how many logs a contestant reads all records."""
    return 2 if name.startswith("mirror") else 1


def show_speed(topic: str, records: int, rounds: list[Round]) -> None:
    print(f"\n{topic}: {records:,} records of 200 B, 64 partitions, lz4; median of {len(rounds)} rounds\n")
    print(f"{'':50}{'records/s':>12}{'us CPU':>9}{'x bare':>9}{'x naive':>9}")
    for name, what in CONTESTANTS.items():
        read = records * logs(name)
        rate = median(read / each[name]["seconds"] for each in rounds)
        cost = median(each[name]["cpu_seconds"] for each in rounds) / read * 1e6
        bare, naive = (ratio(rounds, reference, name, "cpu_seconds") for reference in AIMS)
        print(f"{what:50}{rate:12,.0f}{cost:9.2f}{bare:9.2f}{naive:9.2f}")
    for reference, aim in AIMS.items():
        by_cpu, by_clock = (ratio(rounds, reference, "source", clock) for clock in ("cpu_seconds", "seconds"))
        print(f"source against {reference}: {by_cpu:.2f} by CPU, {by_clock:.2f} by the clock; aim {aim:.2f}")


def show_durability(records: int, rounds: list[Round]) -> None:
    print(f"\nwhat durability costs of the throughput (aim: at most {DURABILITY_AIM:.0%})\n")
    columns: list[tuple[str, ...]] = []
    for name in ("source", "mirror"):
        clock, cpu = (1 - ratio(rounds, f"{name}_unstored", name, by) for by in ("seconds", "cpu_seconds"))
        all_figures = [each[name] for each in rounds]
        found = {key: median(each[key] for each in all_figures) for key in all_figures[0]}
        longest = {key: max(each[key] for each in all_figures) for key in found}
        columns.append(
            (
                name,
                f"{clock:.0%}",
                f"{cpu:.0%}",
                f"{found['store_seconds'] / found['seconds']:.0%}",
                *_commits("commit", found, longest),
                *_commits("checkpoint", found, longest),
                f"{found['store_journal_bytes'] / found['store_journalled']:.1f}",
                f"{found['store_peak_bytes'] / records:.1f}",
            )
        )
    names = (
        "",
        "by the clock",
        "by CPU",
        "time spent in the store",
        *_heads("commit"),
        *_heads("checkpoint"),
    )
    names += ("journal bytes a record", "most bytes on disk a key")
    for name, *values in zip(names, *columns, strict=True):
        _row(name, values)


def _heads(name: str) -> tuple[str, ...]:
    return f"{name}s", f"{name}, mean ms", f"{name}, longest ms"


def _commits(name: str, found: Figures, longest: Figures) -> tuple[str, ...]:
    mean, most = found[f"store_{name}_mean"] * 1000, longest[f"store_{name}_max"] * 1000
    return f"{found[f'store_{name}s']:.0f}", f"{mean:.1f}", f"{most:.1f}"


def _row(name: str, values: Iterable[str]) -> None:
    print(f"{name:30}" + "".join(f"{value:>12}" for value in values))


def show_memory(figures: dict[str, dict[str, Figures]]) -> None:
    print(f"\nbytes per key in the norm (aim: at most {BYTES_AIM}); resident after malloc_trim\n")
    print(f"{'keys':>12}  {'stages':22}{'resident':>10}{'columns':>10}{'us/key':>9}")
    for keys, rows in figures.items():
        for stages, found in rows.items():
            cost = found["seconds"] / int(keys) * 1e6
            print(f"{int(keys):12,}  {stages:22}{found['resident']:10.1f}{found['columns']:10.1f}{cost:9.2f}")


def show_rebuild(figures: dict[str, Figures]) -> None:
    print(f"\nrebuilding source, mirror and sink at a start (aim: {REBUILD_AIM:,} keys a second)\n")
    _row("keys", ("seconds", "keys/s", "disk B/key", "peak B/key", "written in s"))
    for name, found in figures.items():
        if name != JOURNAL:
            _row(f"{int(name):,}", _rebuilt(int(name), found))
    if JOURNAL in figures:
        found = figures[JOURNAL]
        records, seconds = found["journalled"] * PARTS_OF_A_KEY, found["replay_seconds"]
        print(f"\nfrom the journal: {records:,.0f} records and effects in {seconds:.2f} s, ", end="")
        print(f"{records / seconds:,.0f} a second")


def _rebuilt(keys: int, found: Figures) -> tuple[str, ...]:
    seconds = found["check_seconds"] + found["restore_seconds"]
    disk, peak = found["checkpoint_bytes"] / keys, found["peak_bytes"] / keys
    written = found["checkpoint_seconds"]
    return f"{seconds:.2f}", f"{keys / seconds:,.0f}", f"{disk:.1f}", f"{peak:.1f}", f"{written:.2f}"
