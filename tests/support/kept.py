"""State folders as released versions of the program left them, and how one is made.

`PYTHONPATH=tests python -m support.kept` runs the program on mock clusters and keeps two folders of the
present format: `stopped` is that of a process that ended in order, `killed` that of the next one, whose
cycles lie in the journal and in the write-ahead log. What is kept of a released format is never made again.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dupscope.config.load import load
from dupscope.config.settings import Config
from dupscope.fingerprint.secret import load_or_create
from dupscope.store.frame import FORMAT
from support.dump import Dumped
from support.fault_case import Terms, expected_of
from support.mock import MockCluster
from support.oracle import Where
from support.scenario import Lists
from support.traffic import Route, is_keyed
from support.traffic_case import TrafficCase

PLACE = Path(__file__).parents[1] / "unit" / "store" / "kept"
WAYS = ("stopped", "killed")
STORED = ("dupscope.db", "dupscope.db-wal", "fingerprint.key")
PHASES, SEED = 12, 5

Counted = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True)
class Kept:
    """A kept folder, unpacked to be used up, and what the oracle said of the traffic that it comes from.

    counted   by full name and labels; what is 0 is left out
    findings  how often each place was reported
    keys      how many business keys there were
    """

    folder: Path
    config: Config
    secret: bytes
    counted: Counted
    findings: Counter[Where]
    keys: int


def archives() -> list[Path]:
    """All that is kept, oldest format first."""
    return sorted(PLACE.glob("format-*/*.tar.xz"))


def unpacked(archive: Path, target: Path) -> Kept:
    """One kept folder, below an empty `target`. Its clusters are nowhere."""
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")
    config = target / "dupscope.yaml"
    document = yaml.safe_load(config.read_text())
    document["state"] = {"path": str(target / "state")}
    document["clusters"] = {name: {"bootstrap.servers": "127.0.0.1:1"} for name in document["clusters"]}
    config.write_text(yaml.safe_dump(document))
    truth = json.loads((target / "truth.json").read_text())
    return Kept(
        target / "state",
        load(config, {}),
        load_or_create(target / "state" / "fingerprint.key"),
        {(name, frozenset(map(tuple, labels))): value for name, labels, value in truth["counted"]},
        Counter({Where(*place): count for *place, count in truth["findings"]}),
        truth["keys"],
    )


def main() -> int:
    """Make both folders of the present format."""
    place = PLACE / f"format-{FORMAT}"
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, MockCluster() as primary, MockCluster() as dr:
        route = Route(primary.bootstrap_servers, dr.bootstrap_servers)
        primary.create_topic(route.topic, route.partitions)
        dr.create_topic(route.mirrored, route.partitions)
        terms = Terms("kept", extra={"state": {"path": f"{folder}/state"}})
        with TrafficCase(Path(folder), route, SEED, terms) as case:
            case.watch.start()
            for way in WAYS:
                _live(case, way)
                _keep(case, place / f"{way}.tar.xz", case.pipeline.lists())
    return 0


def _live(case: TrafficCase, way: str) -> None:
    """One life of the program, to a moment at which all that it was given is judged and committed."""
    case.runs.start()
    case.look(1)
    for _ in range(PHASES):
        case.traffic.phase()
    case.settle()
    assert case.watch.problems == []
    if way == "killed":
        case.runs.current.process.kill()
    else:
        assert case.runs.current.process.stop(timeout=10) == 0


def _keep(case: TrafficCase, archive: Path, lists: Lists) -> None:
    document = yaml.safe_load((case.folder / "dupscope.yaml").read_text())
    document |= {"state": {"path": "state"}, "web": {"listen": "127.0.0.1:0"}}
    document["clusters"] = {name: {"bootstrap.servers": "127.0.0.1:1"} for name in document["clusters"]}
    (case.folder / "kept.yaml").write_text(yaml.safe_dump(_nowhere(document)))
    truth = {
        "counted": sorted(
            [name, sorted(labels), count] for (name, labels), count in expected_of(lists).items()
        ),
        "findings": sorted([*place, count] for place, count in case.runs.findings().items()),
        "keys": len({_number(one) for one in case.traffic.source.log if is_keyed(one)}),
    }
    (case.folder / "truth.json").write_text(json.dumps(truth))
    with tarfile.open(archive, "w:xz") as file:
        file.add(case.folder / "kept.yaml", "dupscope.yaml", filter=_nobodys)
        file.add(case.folder / "truth.json", "truth.json", filter=_nobodys)
        for name in STORED:
            if (case.folder / "state" / name).exists():
                file.add(case.folder / "state" / name, f"state/{name}", filter=_nobodys)


def _number(record: Dumped) -> int:
    return int(json.loads(record.value or b"")["payment_id"])


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uname = member.gname = ""
    member.uid = member.gid = member.mtime = 0
    return member


def _nowhere(tree: Any) -> Any:
    """The document with audit files that lie beside it."""
    if isinstance(tree, Mapping):
        return {name: Path(value).name if name == "file" else _nowhere(value) for name, value in tree.items()}
    return tree


if __name__ == "__main__":
    sys.exit(main())
