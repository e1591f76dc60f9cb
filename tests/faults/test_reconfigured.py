"""A start with another configuration: what changed begins anew and says so; nothing is told twice."""

from __future__ import annotations

import copy
import json
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from dupscope.config.load import load
from support.disk import mounted
from support.dupscope_process import DupscopeProcess, program
from support.mock import MockCluster
from support.restarts import SECRET, Copies, Start, started
from support.waiting import wait_until

PAYMENTS, ORDERS = (*range(40), 3, 7, 7), (*range(30), 5)
DUPLICATES = {"payments": 3, "orders": 1}


@dataclass
class Twins:
    """Two pipelines on one cluster: `payments` with a mirror, `orders` with a source alone."""

    folder: Path
    cluster: MockCluster
    document: dict = field(default_factory=dict)
    began_ms: int = field(default_factory=lambda: int(time.time() * 1000) - 60_000)

    def __post_init__(self) -> None:
        for topic, numbers in (("payments", PAYMENTS), ("dr.payments", PAYMENTS), ("orders", ORDERS)):
            self.cluster.create_topic(topic, 3)
            self.write(topic, *numbers)
        self.document |= {
            "clusters": {"a": {"bootstrap.servers": self.cluster.bootstrap_servers}},
            "pipelines": {
                "payments": {
                    "key": {"json": ["id"]},
                    "start": "earliest",
                    "source": {"cluster": "a", "topics": ["payments"]},
                    "mirrors": {"to-dr": {"cluster": "a", "topics": ["dr.payments"]}},
                },
                "orders": {
                    "key": {"json": ["id"]},
                    "start": "earliest",
                    "source": {"cluster": "a", "topics": ["orders"]},
                },
            },
            "state": {"path": str(self.folder / "state")},
            "limits": {"memory": "1GiB"},
            "web": {"listen": "127.0.0.1:0"},
        }

    def write(self, topic: str, *numbers: int) -> None:
        self.cluster.produce(topic, map(self.record, numbers))

    def record(self, number: int) -> tuple[int, bytes, bytes, int]:
        """Both fields tell records apart, so that either can be the key."""
        value = {"id": number, "other": number}
        return number % 3, b"k", json.dumps(value).encode(), self.began_ms + number

    def start(self, document: dict, secret: bytes = SECRET, step=lambda _: None):
        file = self.folder / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        return started(load(file, {}), self.folder / "state", step, secret)

    def changed(self, change) -> dict:
        document = copy.deepcopy(self.document)
        change(document)
        return document


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[Twins]:
    with MockCluster() as cluster:
        yield Twins(tmp_path, cluster)


def counted(start: Start, metric: str) -> Counter[str]:
    """A counter by pipeline."""
    sums: Counter[str] = Counter()
    for (name, labels), value in start.counted.items():
        if name == metric:
            sums[labels[0]] += int(value)
    return sums


def duplicates(start: Start) -> Counter[str]:
    """As counted, by pipeline."""
    return counted(start, "duplicates_total")


def lost(start: Start) -> set[tuple[str, str]]:
    """Pipelines and stages that say that their state was lost."""
    return {
        (labels[0], labels[1])
        for name, labels in start.counted
        if name == "coverage_holes_total" and labels[2] == "state_lost"
    }


def key(document: dict) -> None:
    document["pipelines"]["payments"]["key"] = {"json": ["other"]}


def window(document: dict) -> None:
    document["pipelines"]["payments"]["window"] = "2h"


def margin(document: dict) -> None:
    document["pipelines"]["payments"]["margin"] = "1m"


def added(document: dict) -> None:
    document["pipelines"]["more"] = copy.deepcopy(document["pipelines"]["orders"])


def removed(document: dict) -> None:
    del document["pipelines"]["payments"]


def memory(document: dict) -> None:
    document["limits"]["memory"] = "600MiB"


def nothing(_document: dict) -> None:
    """As it was."""


def irrelevant(document: dict) -> None:
    document["pipelines"]["payments"] |= {"start": "1h", "team": "checkout"}
    document["log"] = {"level": "warning"}


BOTH = {("payments", "source"), ("payments", "to-dr")}
CASES = {
    "key": (key, BOTH),
    "window": (window, BOTH),
    "margin": (margin, BOTH),
    "added": (added, set()),
    "removed": (removed, set()),
    "memory": (memory, set()),
    "irrelevant": (irrelevant, set()),
}


class TestChanged:
    @pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
    @pytest.mark.parametrize("case", CASES)
    def test_only_what_changed_begins_anew(self, twins, case, killed):
        change, expected = CASES[case]
        self.first(twins, killed=killed)
        twins.write("orders", 6)
        with twins.start(twins.changed(change)) as start:
            before = Counter({name: DUPLICATES[name] for name in start_names(start) & DUPLICATES.keys()})
            assert duplicates(start) == before
            start.to_the_end()
            assert lost(start) == expected
            new = Counter(orders=1, more=2 * (case == "added"))
            assert duplicates(start) == before + new
            self.check_findings(start, more=case == "added")
            records = counted(start, "records_total")
            assert records["orders"] == len(ORDERS) + 1
            assert records["payments"] == (0 if case == "removed" else 2 * len(PAYMENTS))
            assert [name for name in start.log.ids if start.log.ids.count(name) > 1] == []
            assert start.store.resets == 0

    def test_another_fingerprint_key(self, twins):
        """All begin anew. Ids come from positions: what was known is still known."""
        self.first(twins, killed=False)
        with twins.start(twins.document, bytes(15) + b"x") as start:
            start.to_the_end()
            assert lost(start) == {*BOTH, ("orders", "source")}
            assert duplicates(start) == Counter(DUPLICATES)
            assert len(start.findings) == sum(DUPLICATES.values())
            assert start.log.ids == []

    def test_removed_and_there_again(self, twins):
        """Its keys are gone, its findings are not."""
        self.first(twins, killed=False)
        with twins.start(twins.changed(removed)) as start:
            start.to_the_end()
        with twins.start(twins.document) as start:
            start.to_the_end()
            assert len(start.findings) == sum(DUPLICATES.values())
            assert start.log.ids == []

    def test_memory_again_and_again(self, twins):
        """Each start with another limit, each killed after its first commits: as if nothing had happened."""
        self.first(twins, killed=True)
        for number, size in enumerate(("600MiB", "2GiB", "500MiB", "1GiB")):
            document = twins.changed(nothing)
            document["limits"]["memory"] = size
            twins.write("orders", 10 + number)
            with twins.start(document, step=dying()) as start, pytest.raises(Killed):
                start.to_the_end()
        with twins.start(twins.document) as start:
            start.to_the_end()
            assert duplicates(start) == Counter(DUPLICATES) + Counter(orders=4)
            assert len(start.findings) == sum(DUPLICATES.values()) + 4
            assert lost(start) == set()

    def first(self, twins: Twins, *, killed: bool) -> None:
        """A first life: everything there is found."""
        state, copies = twins.folder / "state", Copies(twins.folder / "state", twins.folder / "copies")
        (twins.folder / "copies").mkdir()
        with twins.start(twins.document, step=copies) as start:
            start.to_the_end()
            assert duplicates(start) == Counter(DUPLICATES)
        if killed:
            state.rename(twins.folder / "stopped")
            copies.all[-2].rename(state)

    def check_findings(self, start: Start, *, more: bool) -> None:
        found = Counter(each.pipeline for each in start.findings)
        assert found == Counter(DUPLICATES) + Counter(orders=1) + Counter(more=2 * more)
        assert len({each.id for each in start.findings}) == len(start.findings)


def start_names(start: Start) -> set[str]:
    return {watch.settings.name for watch in start.restored.watches}


class TestRefused:
    def test_a_second_run_names_the_first(self, twins):
        """It ends at once; the first goes on."""
        file = configured(twins)
        first = DupscopeProcess(file, name="first")
        first.start()
        try:
            wait_until(lambda: first.process.assert_running() and first.lines("ready"), 60, "it is ready")
            code, text = run_once(file)
            assert code == 2, text
            assert f"is in use by process {first.process.pid} on host {socket.gethostname()}" in text
            assert first.process.stop(timeout=10) == 0
        finally:
            first.close()

    def test_a_folder_that_cannot_be_written(self, twins):
        """It says which, at once, and ends."""
        folder = twins.folder / "state"
        with mounted(folder, ["-t", "tmpfs", "-o", "size=1m,ro", "none"]):
            code, text = run_once(configured(twins))
        assert (code, text.strip()) == (
            2,
            f"state.path {folder}: cannot be written: Read-only file system",
        )

    def test_a_newer_format(self, twins):
        """It is not touched."""
        with twins.start(twins.document) as start:
            start.to_the_end()
        path = twins.folder / "state" / "dupscope.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        before = path.read_bytes()
        code, text = run_once(configured(twins))
        assert code == 2, text
        assert "was written by a newer dupscope (format 99" in text
        assert path.read_bytes() == before
        assert not list(path.parent.glob("*.damaged*"))


def configured(twins: Twins) -> Path:
    file = twins.folder / "dupscope.yaml"
    file.write_text(yaml.safe_dump(twins.document))
    return file


def run_once(file: Path) -> tuple[int, str]:
    """The exit code and the words of a run that ends by itself."""
    command = [*program(), "run", "-c", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


class Killed(BaseException):
    """Ends a life where it stands."""


def dying():
    """Kills after the third commit."""
    left = [3]

    def step(name: str) -> None:
        left[0] -= name == "commit.done"
        if not left[0]:
            raise Killed

    return step
