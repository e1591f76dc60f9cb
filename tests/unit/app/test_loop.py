from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dupscope.app.commits import Commits
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.restore import Restorer
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.model.errors import StoreUnwritableError
from dupscope.model.layer import Layer
from dupscope.store.commit import Commit, no_step
from dupscope.store.store import Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics


@dataclass
class Lines:
    """A logger that keeps its warnings."""

    lines: list[dict[str, object]] = field(default_factory=list)

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append({"event": event, **fields})


class WatchedStore(Store):
    """Does something at each commit, before it is done."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.before: Callable[[Commit], None] = lambda _: None
        self.seen: list[Commit] = []

    def commit(self, commit: Commit) -> None:
        self.before(commit)
        super().commit(commit)
        self.seen.append(commit)


@dataclass
class Run:
    """A loop over one pipeline, and what it shows."""

    watch: PipelineWatch
    store: WatchedStore
    log: Lines = field(default_factory=Lines)

    def __post_init__(self) -> None:
        self.metrics = Metrics([shape_of(self.watch.settings)], "1.2.3")
        findings = FindingLog(self.log, self.metrics, 0)
        replays = DeclaredReplays(Path("absent.yaml"), {})
        restored = Restorer(self.store, self.metrics, no_step, lambda: False).restore(lambda: [self.watch])
        self.commits = Commits(self.store, restored, self.metrics, findings)
        self.loop = Loop([self.watch], self.commits, self.metrics, replays)

    def to_the_end(self, path: Path | None = None) -> None:
        file = LedgerFile(path)
        self.loop.run(file, until_caught_up=True)
        file.close()

    @property
    def duplicates(self) -> float:
        return self.metrics.published.snapshot.sum("duplicates_total")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WatchedStore]:
    store = WatchedStore(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
def run(online, store) -> Run:
    """Two produce duplicates and one mirror duplicate wait to be found."""
    online.produce(*range(9), 4, 4)
    online.mirror(*range(9), 4, 4, 7)
    return Run(online.watch(), store)


class TestUntilCaughtUp:
    def test_ends_by_itself(self, run: Run, tmp_path: Path):
        """It ends when all is read and judged; then everything is published, logged and written."""
        run.to_the_end(tmp_path / "ledger.jsonl")
        state = run.metrics.published.state
        assert (state.ready, state.reason) == (True, "")
        assert run.duplicates == 3
        assert [line["event"] for line in run.log.lines] == ["duplicate"] * 3
        assert {each.layer for each in state.findings} == {Layer.PRODUCE, Layer.MIRROR}
        assert all(each.missing_evidence for each in state.findings)
        lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
        assert sorted(len(line["source"]) for line in lines) == [1, 3]

    def test_commits_where_it_is(self, run: Run):
        """The last commit holds the next offset of every partition; a next start has nothing to replay."""
        run.to_the_end()
        last = run.store.seen[-1]
        tails = last.pipelines["payments"].watch["tails"]
        assert sum(sum(tail["positions"].values()) for tail in tails) == 11 + 12
        assert last.is_checkpoint


class TestRestart:
    def test_goes_on(self, run: Run, online, store: WatchedStore):
        """What was found is not found again, counters go on, and what came meanwhile is judged by it."""
        run.to_the_end()
        online.produce(2)
        online.mirror(2, 5)
        again = Run(online.watch(), store)
        assert again.duplicates == 3
        again.to_the_end()
        assert [line["layer"] for line in again.log.lines] == ["produce", "mirror"]
        assert again.duplicates == 5
        assert again.metrics.published.snapshot.sum("records_total") == 11 + 12 + 3
        assert len(again.metrics.published.state.findings) == 5


class TestCommitThenPublish:
    def test_nothing_before_the_commit(self, run: Run):
        """While a commit is under way, nothing of its cycle can be seen outside."""
        shown, found = [], []

        def look(unit: Commit) -> None:
            shown.append((run.duplicates, len(run.log.lines)))
            found.append(sum(found[-1:]) + len(unit.findings))

        run.store.before = look
        run.to_the_end()
        assert found[-1] == 3
        assert shown == [(before, before) for before in (0, *found[:-1])]

    def test_failed_commit(self, run: Run):
        """What could not be committed is shown to nobody."""

        def fail(unit: Commit) -> None:
            if unit.findings:
                run.loop.stop()
                raise StoreUnwritableError("disk full")

        run.store.before = fail
        run.to_the_end()
        assert run.duplicates == 0
        assert run.log.lines == []
        assert run.metrics.published.state.findings == ()
        assert run.metrics.published.snapshot.sum("store_writable") == 0

    def test_later(self, run: Run):
        """Once it can be committed after all, it is shown once."""
        failed = []

        def fail_once(unit: Commit) -> None:
            if unit.findings and not failed:
                failed.append(unit)
                raise StoreUnwritableError("disk full")

        run.store.before = fail_once
        run.to_the_end()
        assert run.duplicates == 3
        assert len(run.log.lines) == 3
        assert run.metrics.published.snapshot.sum("store_writable") == 1


class TestStop:
    def test_finishes_the_cycle(self, run: Run):
        """A stop in the middle of a cycle: that cycle is committed and published, and no other begins."""

        def stop(unit: Commit) -> None:
            if unit.number:
                run.loop.stop()

        run.store.before = stop
        run.loop.run(LedgerFile(None))
        number = run.commits.number
        assert {commit.number for commit in run.store.seen} == {0, number}
        shown = run.metrics.published.snapshot.sum("records_total")
        tails = run.store.seen[-1].pipelines["payments"].watch["tails"]
        assert shown == sum(sum(tail["positions"].values()) for tail in tails)

    def test_before_it_runs(self, run: Run):
        """Stopped before it began, it reads nothing."""
        run.loop.stop()
        run.loop.run(LedgerFile(None))
        assert {commit.number for commit in run.store.seen} == {0}


class TestNotReady:
    def test_says_what_it_waits_for(self, offline, store):
        """While nothing can be read, it lives, is not ready and names the stages."""
        run = Run(offline.watch(), store)
        run.store.before = lambda unit: run.loop.stop() if unit.number else None
        run.loop.run(LedgerFile(None))
        state = run.metrics.published.state
        assert not state.ready
        assert state.reason == "cannot read payments: source, payments: to-dr yet"
        assert run.metrics.published.snapshot.sum("tail_up") == 0
