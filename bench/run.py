"""`make bench`: speed against the bare consume loop and what people write, durability, memory, restart.

All contestants read the same records from the same mock cluster, in turn, several rounds of them. The
cluster has one core, each contestant, librdkafka's threads included, another one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
from show import (
    CONTESTANTS,
    JOURNAL,
    Figures,
    Round,
    show_durability,
    show_memory,
    show_rebuild,
    show_speed,
)

HERE = Path(__file__).parent
STAGES = ("source", "source+mirror", "source+mirror+sink")
JOURNALLED = 1_000_000
"""Keys that a journal brings when its replay is measured."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records in each topic")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, nargs="*", default=[2_000_000, 10_000_000])
    parser.add_argument("--rebuild", type=int, nargs="*", default=[1_000_000, 5_000_000, 10_000_000])
    parser.add_argument("--json", action="store_true", help="print one JSON object with all figures")
    return parser.parse_args()


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / script), *map(str, arguments)]


def measured(script: str, *arguments: object) -> Figures:
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


def memory(core: int, sizes: list[int]) -> dict[str, dict[str, Figures]]:
    """By number of keys and stages."""
    return {
        str(keys): {stages: measured("memory.py", core, stages, keys) for stages in STAGES} for keys in sizes
    }


def rebuilds(core: int, sizes: list[int]) -> dict[str, Figures]:
    """By number of keys in a checkpoint; and of a journal."""
    found = {str(keys): rebuild(core, keys, 0) for keys in sizes}
    return found | ({JOURNAL: rebuild(core, 2 * JOURNALLED, JOURNALLED)} if sizes else {})


def rebuild(core: int, keys: int, journalled: int) -> Figures:
    """One store, written by one process and read by another."""
    with tempfile.TemporaryDirectory() as folder:
        written = measured("rebuild.py", core, "write", folder, keys, journalled)
        found = measured("rebuild.py", core, "read", folder, keys, journalled)
    return {**written, **found, "journalled": journalled}


def main() -> int:
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    mine, other = cores[-1], cores[0]
    readings = speed((mine, other), options.records, options.rounds) if options.rounds else {}
    held, rebuilt = memory(mine, options.keys), rebuilds(mine, options.rebuild)
    if options.json:
        figures = {"speed": readings, "memory": held, "rebuild": rebuilt}
        print(json.dumps({"records": options.records, **figures}))
        return 0
    where = f"Python {platform.python_version()}, librdkafka {confluent_kafka.libversion()[0]}"
    print(f"{where}, {len(cores)} cores of {platform.machine()}")
    if mine == other:
        print("only one core: the cluster takes its share of every figure by the clock")
    for topic, rounds in readings.items():
        show_speed(topic, options.records, rounds)
        show_durability(options.records, rounds)
    if held:
        show_memory(held)
    if rebuilt:
        show_rebuild(rebuilt)
    return 0


if __name__ == "__main__":
    sys.exit(main())
