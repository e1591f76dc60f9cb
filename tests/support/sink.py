"""Starting, killing and reading the sink program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from support import sink_consumer
from support.audit_way import AuditWay, FileWay
from support.oracle import Effect, Where
from support.process import LoggedProcess


@dataclass(frozen=True)
class SinkSettings:
    """What the sink reads, and by which field it names its effects."""

    bootstrap: str
    cluster: str
    topic: str
    group: str = "charger"
    key: str = "payment_id"
    commit_every: int = 500
    options: tuple[str, ...] = ()
    """Further options of the program: --dedup, --no-positions."""


class SinkProcess:
    """The sink, and the files it writes under `folder`. May be started again after it has died."""

    def __init__(self, settings: SinkSettings, folder: Path, way: AuditWay | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = folder.name
        self.charges = folder / "charges.jsonl"
        self.way = way or FileWay(folder / "audit.jsonl")
        self._settings = settings
        self._process = LoggedProcess([], folder / "sink.log")

    def start(self, die_after: int = 0) -> None:
        """Start; with `die_after` it kills itself with -9 after that many records, before committing them."""
        settings = self._settings
        self._process.command = [
            *(sys.executable, sink_consumer.__file__),
            *("--bootstrap", settings.bootstrap, "--cluster", settings.cluster, "--topic", settings.topic),
            *("--group", settings.group, "--key", settings.key),
            *("--charges", str(self.charges), *self.way.options()),
            *("--commit-every", str(settings.commit_every), "--die-after", str(die_after)),
            *settings.options,
        ]
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.running

    def wait_death(self, timeout: float = 60) -> int:
        """The exit code of a sink that was started to die: -9."""
        return self._process.wait_exit(timeout)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def stop(self) -> int:
        """SIGTERM: it commits and leaves the group. 0 when all went well."""
        return self._process.stop()

    def close(self) -> None:
        self._process.close()

    def audit_section(self) -> dict[str, object]:
        """`audit` in the configuration."""
        return self.way.section()

    def audit_lines(self) -> int:
        """How many audit lines there are."""
        return self.way.lines()

    def effects(self, stage: str) -> list[Effect]:
        """Its own list, in its order, of charges for records of the log that `stage` names."""
        return [effect(stage, charge) for charge in self._listed()]

    def effects_by(self, stages: Mapping[tuple[str, str], str]) -> list[Effect]:
        """Its own list, in its order; `stages` has the stage by (cluster, physical topic).

        As much of it as its audit lines tell: without positions where they have none.
        """
        if "--no-positions" in self._settings.options:
            return [unplaced(charge) for charge in self._listed()]
        return [
            effect(stages[str(charge["cluster"]), str(charge["topic"])], charge) for charge in self._listed()
        ]

    def _listed(self) -> Iterator[dict[str, object]]:
        """The whole lines of its list."""
        if self.charges.exists():
            yield from map(json.loads, self.charges.read_text().rpartition("\n")[0].splitlines())

    def has_acted_on(self, offsets: dict[int, int]) -> bool:
        """Whether it has charged for the record at each of these offsets, by partition."""
        acted = {(one.where.partition, one.where.offset) for one in self.effects("any")}
        return set(offsets.items()) <= acted


def effect(stage: str, charge: dict[str, object]) -> Effect:
    topic, partition, offset = str(charge["topic"]), int(str(charge["partition"])), int(str(charge["offset"]))
    return Effect(Where(stage, topic, partition, offset), str(charge["effect_id"]))


def unplaced(charge: dict[str, object]) -> Effect:
    """An effect of which only key and time are known."""
    at = datetime.fromisoformat(str(charge["at"])).timestamp()
    key = (("string", str(charge["key"])),)
    return Effect(None, str(charge["effect_id"]), key=key, at=round(at * 1000))
