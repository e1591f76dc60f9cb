"""Starts of the program in this process, on a copy of a state folder: what it takes from there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dupscope.app.clusters import Clusters
from dupscope.app.commits import Commits
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.restore import Restored, Restorer
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.config.settings import Config
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.kafka.client import silent
from dupscope.model.finding import Finding
from dupscope.model.plain import Plain
from dupscope.store.commit import Step, no_step
from dupscope.store.frame import seal, unseal
from dupscope.store.store import Store
from dupscope.telemetry.catalogue import BY_NAME
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics

SECRET = bytes(16)
OF_STARTING = {"build_info", "restored_ratio", "store_bytes", "store_resets_total", "store_writable"}
"""Metrics that tell of the start itself, not of what was stored."""


@dataclass
class Logged:
    """A logger that keeps the ids of findings."""

    ids: list[str] = field(default_factory=list)

    def warning(self, event: str, **fields: object) -> None:
        if event == "duplicate":
            self.ids.append(str(fields["id"]))


class Start:
    """One start. `restored` is as the loop gets it; nothing has been read yet."""

    def __init__(self, config: Config, folder: Path, step: Step = no_step, secret: bytes = SECRET) -> None:
        self.step = step
        self.log = Logged()
        self.metrics = Metrics([shape_of(each) for each in config.pipelines.values()], "1.2.3")
        self._config, self._secret = config, secret
        self._clusters = Clusters(config.clusters, silent, int(time.time() * 1000))
        self._made: list[PipelineWatch] = []
        folder.mkdir(exist_ok=True)
        self.store = Store(folder, step)
        try:
            restorer = Restorer(self.store, self.metrics, step, lambda: False)
            self.restored: Restored = restorer.restore(self._watches)
        except BaseException:
            self.close()
            raise

    def to_the_end(self) -> None:
        """Read and judge all that there is, and end in order."""
        findings = FindingLog(self.log, self.metrics, 0)
        commits = Commits(self.store, self.restored, self.metrics, findings, self.step)
        replays = DeclaredReplays(Path("absent.yaml"), {})
        loop = Loop(self.restored.watches, commits, self.metrics, replays, self.step)
        loop.run(LedgerFile(None), until_caught_up=True)

    @property
    def counted(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """What was stored of the metrics, by name and labels. What is 0 or tells of the start is left out."""
        kept = {
            (name, labels): value
            for name, series in self.metrics.published.snapshot.values.items()
            for labels, value in series.items()
            if value and BY_NAME[name].is_stored and name not in OF_STARTING
        }
        histograms = self.metrics.published.snapshot.histograms.items()
        return kept | {(name, each): one.sum for name, series in histograms for each, one in series.items()}

    @property
    def findings(self) -> list[Finding]:
        """All that are stored, oldest first."""
        return self.store.latest(1 << 30)[::-1]

    @property
    def ledgers(self) -> list[Plain]:
        """The whole state of all ledgers, and where tails and audit logs stand."""
        states = []
        for watch in self.restored.watches:
            state = watch.ledger.export(whole=True)
            tree: Plain = [
                state.small,
                dict(state.blocks),
                [state.held.start, state.held.stop],
                watch.saved(),
            ]
            states.append(unseal(seal(tree, "here"), "here"))
        return states

    def close(self) -> None:
        for watch in self._made:
            watch.close()
        self._clusters.close()
        self.store.close()

    def _watches(self) -> list[PipelineWatch]:
        pipelines = self._config.pipelines.values()
        made = [PipelineWatch(self._config, each, self._secret, self._clusters) for each in pipelines]
        self._made += made
        return made


@contextmanager
def started(config: Config, folder: Path, step: Step = no_step, secret: bytes = SECRET) -> Iterator[Start]:
    """One start, given up in the end."""
    start = Start(config, folder, step, secret)
    try:
        yield start
    finally:
        start.close()


class Copies:
    """Copies a state folder as a kill would leave it: at every commit that was done, log and all."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder, self._target = folder, target
        self.all: list[Path] = []

    def __call__(self, step: str) -> None:
        if step == "commit.done":
            self.all.append(self._target / f"{len(self.all):03}")
            shutil.copytree(self._folder, self.all[-1])
