"""`make bench`: dupscope against the bare consume loop and against what people write, and bytes per key.

All contestants read the same records from the same mock cluster, in turn, several rounds of them. The
cluster has one core, each contestant, librdkafka's threads included, another one. A ratio is taken between
contestants of one round; what is printed is the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import confluent_kafka

HERE = Path(__file__).parent
CONTESTANTS = {
    "bare": "consume(1000), every record dropped",
    "naive": "poll, json.loads, a dict",
    "source": "dupscope, source",
    "mirror": "dupscope, source and mirror (twice the records)",
}
AIMS = {"bare": 0.25, "naive": 3.0}
BYTES_AIM = 60
STAGES = ("source", "source+mirror", "source+mirror+sink")
Round = dict[str, dict[str, float]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records in each topic")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, nargs="*", default=[2_000_000, 10_000_000])
    parser.add_argument("--json", action="store_true", help="print one JSON object with all figures")
    return parser.parse_args()


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / script), *map(str, arguments)]


def measured(script: str, *arguments: object) -> dict[str, float]:
    done = subprocess.run(python(script, *arguments), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


@contextmanager
def cluster(core: int, records: int) -> Iterator[dict]:
    """The process with the records; `bootstrap` and `topics` of it."""
    with subprocess.Popen(
        python("cluster.py", core, records), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def speed(cores: tuple[int, int], records: int, rounds: int) -> dict[str, list[Round]]:
    """By topic: the rounds."""
    mine, other = cores
    with cluster(other, records) as place:
        return {
            topic: [
                {
                    name: measured("contestant.py", mine, name, place["bootstrap"], topic, records)
                    for name in CONTESTANTS
                }
                for _ in range(rounds)
            ]
            for topic in place["topics"]
        }


def memory(core: int, sizes: list[int]) -> dict[str, dict[str, dict[str, float]]]:
    """By number of keys and stages."""
    return {
        str(keys): {stages: measured("memory.py", core, stages, keys) for stages in STAGES} for keys in sizes
    }


def ratio(rounds: list[Round], reference: str, name: str, clock: str) -> float:
    """How many times as many records a second `name` reads as `reference`."""
    read = 2 if name == "mirror" else 1
    return median(each[reference][clock] / each[name][clock] * read for each in rounds)


def show_speed(topic: str, records: int, rounds: list[Round]) -> None:
    print(f"\n{topic}: {records:,} records of 200 B, 64 partitions, lz4; median of {len(rounds)} rounds\n")
    print(f"{'':50}{'records/s':>12}{'us CPU':>9}{'x bare':>9}{'x naive':>9}")
    for name, what in CONTESTANTS.items():
        read = records * (2 if name == "mirror" else 1)
        rate = median(read / each[name]["seconds"] for each in rounds)
        cost = median(each[name]["cpu_seconds"] for each in rounds) / read * 1e6
        bare, naive = (ratio(rounds, reference, name, "cpu_seconds") for reference in AIMS)
        print(f"{what:50}{rate:12,.0f}{cost:9.2f}{bare:9.2f}{naive:9.2f}")
    for reference, aim in AIMS.items():
        by_cpu, by_clock = (ratio(rounds, reference, "source", clock) for clock in ("cpu_seconds", "seconds"))
        print(f"source against {reference}: {by_cpu:.2f} by CPU, {by_clock:.2f} by the clock; aim {aim:.2f}")


def show_memory(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    print(f"\nbytes per key in the norm (aim: at most {BYTES_AIM}); resident after malloc_trim\n")
    print(f"{'keys':>12}  {'stages':22}{'resident':>10}{'columns':>10}{'us/key':>9}")
    for keys, rows in figures.items():
        for stages, found in rows.items():
            cost = found["seconds"] / int(keys) * 1e6
            print(f"{int(keys):12,}  {stages:22}{found['resident']:10.1f}{found['columns']:10.1f}{cost:9.2f}")


def main() -> int:
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    mine, other = cores[-1], cores[0]
    readings = speed((mine, other), options.records, options.rounds) if options.rounds else {}
    held = memory(mine, options.keys)
    if options.json:
        print(json.dumps({"records": options.records, "speed": readings, "memory": held}))
        return 0
    where = f"Python {platform.python_version()}, librdkafka {confluent_kafka.libversion()[0]}"
    print(f"{where}, {len(cores)} cores of {platform.machine()}")
    if mine == other:
        print("only one core: the cluster takes its share of every figure by the clock")
    for topic, rounds in readings.items():
        show_speed(topic, options.records, rounds)
    show_memory(held)
    return 0


if __name__ == "__main__":
    sys.exit(main())
