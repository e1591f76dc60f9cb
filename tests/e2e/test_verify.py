"""`dupscope findings` and `dupscope verify` as their users run them, beside `run` and after it.

The clusters are mock ones. What there is to find is planted, and the stored state is tampered with in copies.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import subprocess
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from dupscope.model.finding import Finding, finding_id
from dupscope.store.reader import StoreReader
from support.dupscope_process import DupscopeProcess, program, total
from support.mock import MockCluster
from support.stored import plant_finding, remove_finding
from support.waiting import wait_until

PARTITIONS = 3
TOPIC, MIRRORED = "payments", "primary.payments"
WAIT_SECONDS = 30
CANARY = "canary"
"""Part of every business key and of every value; of nothing that the program may show."""


class Scene:
    """Two clusters and an audit file; payments flow through them, and some repeat at each layer."""

    def __init__(self, folder: Path, primary: MockCluster, dr: MockCluster) -> None:
        self.folder, self.primary, self.dr = folder, primary, dr
        self.audit = folder / "audit.jsonl"
        self.planted: Counter[str] = Counter()
        self._draw = random.Random(5)
        self._next = 0
        self._offsets: Counter[int] = Counter()
        self._processes: list[DupscopeProcess] = []
        primary.create_topic(TOPIC, PARTITIONS)
        dr.create_topic(MIRRORED, PARTITIONS)

    def configure(self, state: str = "state", **more: object) -> Path:
        document = {
            "clusters": {
                "primary": {"bootstrap.servers": self.primary.bootstrap_servers},
                "dr": {"bootstrap.servers": self.dr.bootstrap_servers},
            },
            "pipelines": {
                "payments": {
                    "key": {"json": ["payment_id"]},
                    "start": "earliest",
                    "source": {"cluster": "primary", "topics": [TOPIC]},
                    "mirrors": {"to-dr": {"cluster": "dr", "topics": [MIRRORED]}},
                    "sinks": {"charger": {"reads": ["to-dr"], "audit": {"file": str(self.audit)}}},
                }
            },
            "state": {"path": state},
            "web": {"listen": "127.0.0.1:0"},
            **more,
        }
        file = self.folder / f"{state}.yaml"
        file.write_text(yaml.safe_dump(document))
        return file

    def start(self, *arguments: str, **more: object) -> DupscopeProcess:
        self._processes.append(DupscopeProcess(self.configure(**more), *arguments))
        self._processes[-1].start()
        return self._processes[-1]

    def close(self) -> None:
        for each in self._processes:
            each.close()

    def flow(self, count: int) -> None:
        """New payments, some of them sent twice, mirrored twice or charged twice."""
        now, source, mirrored = int(time.time() * 1000), [], []
        for number in range(self._next, self._next + count):
            value = json.dumps({"payment_id": f"{CANARY}-{number}"}).encode()
            record = (number % PARTITIONS, b"k", value, now)
            copies = [record, (*record[:3], now + 1)] if self._repeats("produce") else [record]
            source += copies
            mirrored += copies + copies[:1] * self._repeats("mirror")
        self._next += count
        self.primary.produce(TOPIC, source)
        self.dr.produce(MIRRORED, mirrored)
        with self.audit.open("a") as audit:
            audit.writelines(map(self._charged, mirrored))

    def _repeats(self, layer: str) -> bool:
        """Whether to plant a duplicate here: one in ten."""
        chosen = self._draw.random() < 0.1
        self.planted[layer] += chosen
        return chosen

    def _charged(self, record: tuple) -> str:
        """The audit line of one record, or two equal ones."""
        partition, _, value, timestamp = record
        line = {
            "key": json.loads(value)["payment_id"],
            "cluster": "dr",
            "topic": MIRRORED,
            "partition": partition,
            "offset": self._offsets[partition],
            "at": datetime.fromtimestamp(timestamp / 1000 + 1, UTC).isoformat(),
        }
        self._offsets[partition] += 1
        return (json.dumps(line) + "\n") * (1 + self._repeats("consume"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with MockCluster() as primary, MockCluster() as dr:
        made = Scene(tmp_path, primary, dr)
        yield made
        made.close()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """One command of the program, to its end. It never shows a key."""
    command = [*program(), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert CANARY not in done.stdout + done.stderr
    return done


def verify(file: Path, *arguments: object) -> tuple[int, dict]:
    """The exit code and the answer for the only pipeline."""
    done = run("verify", "-c", file, "--json", "--seed", 1, *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["pipelines"][0]


def counted(dupscope: DupscopeProcess, what: str, **labels: str) -> float:
    """A metric's sum; 0 as long as its values are not known."""
    dupscope.process.assert_running()
    try:
        return total(dupscope.scrape(), what, **labels)
    except urllib.error.HTTPError as error:
        with error:
            return 0


def wait_found(dupscope: DupscopeProcess, scene: Scene) -> None:
    def is_found() -> bool:
        found = {layer: counted(dupscope, "duplicates_total", layer=layer) for layer in scene.planted}
        return found == dict(scene.planted)

    wait_until(is_found, WAIT_SECONDS, "all that was planted is found")


@pytest.fixture
def detected(scene: Scene) -> Scene:
    """A scene of which everything was detected; the detector has ended."""
    scene.flow(300)
    dupscope = scene.start("--until-caught-up")
    assert dupscope.process.wait_exit(WAIT_SECONDS) == 0, dupscope.process.tail()
    return scene


def copied(scene: Scene) -> tuple[Path, Path]:
    """A copy of the state, and a configuration that names it."""
    shutil.copytree(scene.folder / "state", scene.folder / "copy")
    return scene.folder / "copy", scene.configure("copy")


def stored(folder: Path) -> list[Finding]:
    with StoreReader(folder) as reader:
        return list(reader.findings())


class TestVerify:
    def test_beside_a_detector_that_is_caught_up(self, scene: Scene) -> None:
        scene.flow(300)
        dupscope = scene.start()
        wait_found(dupscope, scene)

        code, shown = verify(scene.folder / "state.yaml")

        assert (code, shown["keys_compared"], shown["keys_left_out"]) == (0, 300, {})
        assert shown["findings_expected"] == shown["findings_found"] == scene.planted.total()
        assert dupscope.process.stop() == 0

    def test_beside_a_detector_under_traffic(self, scene: Scene) -> None:
        """Whenever it looks, what can be compared is equal, and nothing is false or missing."""
        scene.flow(300)
        dupscope = scene.start()
        wait_found(dupscope, scene)
        over, pause = threading.Event(), threading.Event()

        def go_on() -> None:
            while not over.is_set():
                scene.flow(20)
                pause.wait(0.05)

        traffic = threading.Thread(target=go_on)
        traffic.start()
        try:
            answers = [verify(scene.folder / "state.yaml", "--sample", 5000) for _ in range(4)]
        finally:
            over.set()
            traffic.join()
        for code, shown in answers:
            assert (code, shown["missing"], shown["false"]) == (0, [], []), shown
            assert shown["keys_compared"] >= 300
        wait_found(dupscope, scene)
        code, shown = verify(scene.folder / "state.yaml", "--sample", 100_000)
        assert (code, shown["findings_found"]) == (0, scene.planted.total()), shown

    def test_while_the_detector_catches_up(self, scene: Scene) -> None:
        """It is looked at when it has read more than half of each log, so of some keys all, but not all."""
        scene.flow(1500)
        dupscope = scene.start(limits={"fetch_rate": 150})
        for stage in ("source", "to-dr"):
            wait_until(
                lambda of=stage: counted(dupscope, "records_total", stage=of) > 950, WAIT_SECONDS, "it reads"
            )

        code, shown = verify(scene.folder / "state.yaml", "--sample", 5000)

        assert (code, shown["missing"], shown["false"]) == (0, [], []), shown
        assert shown["keys_compared"] > 0
        assert shown["keys_sampled"] < 1500

    def test_after_the_detector_has_ended(self, detected: Scene) -> None:
        done = run("verify", "-c", detected.folder / "state.yaml", "--sample", 20, "--seed", 3)

        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("payments: 20 keys sampled (seed 3), 20 compared\n")
        assert done.stdout.endswith("payments: equal\n")
        assert done.stderr == ""

    @pytest.mark.parametrize("layer", ["produce", "mirror", "consume"])
    def test_a_finding_that_is_gone_is_missing(self, layer: str, detected: Scene) -> None:
        folder, file = copied(detected)
        gone = next(each for each in stored(folder) if each.layer == layer)
        remove_finding(folder, gone.id)

        code, shown = verify(file, "--wait", 0)

        (missing,) = shown["missing"]
        assert (code, missing["id"], missing["stage"]) == (1, gone.id, gone.stage)
        assert shown["false"] == []

    def test_a_finding_that_nobody_made_is_false(self, detected: Scene) -> None:
        """It names a record that is no duplicate."""
        folder, file = copied(detected)
        model = next(each for each in stored(folder) if each.layer == "produce")
        where = model.first
        assert where is not None
        wrong = Finding(
            **{
                **{name: getattr(model, name) for name in Finding.__dataclass_fields__},
                "id": finding_id("payments", "source", where),
                "position": where,
                "first": None,
            }
        )
        plant_finding(folder, wrong)

        code, shown = verify(file, "--wait", 0)

        assert (code, [one["id"] for one in shown["false"]], shown["missing"]) == (1, [wrong.id], [])


class TestFindings:
    def test_beside_a_detector(self, scene: Scene) -> None:
        scene.flow(300)
        dupscope = scene.start()
        wait_found(dupscope, scene)
        file = scene.folder / "state.yaml"

        shown = json.loads(run("findings", "-c", file, "--json").stdout)

        assert Counter(one["layer"] for one in shown["findings"]) == scene.planted
        assert sum(one["count"] for one in shown["incidents"]) == scene.planted.total()
        logged = {line["id"] for line in dupscope.lines("duplicate")}
        assert {one["id"] for one in shown["findings"]} >= logged
        text = run("findings", "-c", file, "--since", "1h").stdout
        assert f"3 incidents, {scene.planted.total()} duplicates detected since" in text
        assert run("findings", "-c", file, "--until", "1h").stdout.startswith("no duplicates detected before")

    def test_after_it_has_ended(self, detected: Scene) -> None:
        done = run("findings", "--state", detected.folder / "state", "--csv", "--layer", "mirror")

        rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
        assert len(rows) == detected.planted["mirror"]
        assert {row["physical_topic"] for row in rows} == {MIRRORED}
