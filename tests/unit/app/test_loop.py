from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.model.finding import Layer
from dupscope.store.commit import Commit, Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics


@dataclass
class Lines:
    """A logger that keeps its warnings."""

    lines: list[dict[str, object]] = field(default_factory=list)

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append({"event": event, **fields})


@dataclass
class WatchedStore(Store):
    """Does something at each commit, before it is done."""

    before: Callable[[Commit], None] = lambda _: None

    def commit(self, unit: Commit) -> None:
        self.before(unit)
        super().commit(unit)


@dataclass
class Run:
    """A loop over one pipeline, and what it shows."""

    watch: PipelineWatch
    store: WatchedStore = field(default_factory=WatchedStore)
    log: Lines = field(default_factory=Lines)

    def __post_init__(self) -> None:
        self.metrics = Metrics([shape_of(self.watch.settings)], "1.2.3")
        findings = FindingLog(self.log, self.metrics, 0)
        replays = DeclaredReplays(Path("absent.yaml"), {})
        self.loop = Loop([self.watch], self.store, self.metrics, findings, replays)

    def to_the_end(self, path: Path | None = None) -> None:
        file = LedgerFile(path)
        self.loop.run(file, until_caught_up=True)
        file.close()

    @property
    def duplicates(self) -> float:
        return self.metrics.published.snapshot.sum("duplicates_total")


@pytest.fixture
def run(online) -> Run:
    """Two produce duplicates and one mirror duplicate wait to be found."""
    online.produce(*range(9), 4, 4)
    online.mirror(*range(9), 4, 4, 7)
    return Run(online.watch())


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
        """The last commit holds the next offset of every partition and the bytes read of every audit log."""
        run.to_the_end()
        last = run.store.last
        assert sum(last.positions["payments"].values()) == 11 + 12
        assert last.audited == {"payments": {0: 0}}


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
                raise OSError("disk full")

        run.store.before = fail
        with pytest.raises(OSError, match="disk full"):
            run.to_the_end()
        assert run.duplicates == 0
        assert run.log.lines == []
        assert run.metrics.published.state.findings == ()


class TestStop:
    def test_finishes_the_cycle(self, run: Run):
        """A stop in the middle of a cycle: that cycle is committed and published, and no other begins."""
        commits = []

        def stop(unit: Commit) -> None:
            commits.append(unit)
            run.loop.stop()

        run.store.before = stop
        run.loop.run(LedgerFile(None))
        assert len(commits) == 1
        shown = run.metrics.published.snapshot.sum("records_total")
        assert shown == sum(commits[0].positions["payments"].values())

    def test_before_it_runs(self, run: Run):
        """Stopped before it began, it does nothing."""
        run.loop.stop()
        run.loop.run(LedgerFile(None))
        assert run.store.last is None


class TestNotReady:
    def test_says_what_it_waits_for(self, offline):
        """While nothing can be read, it lives, is not ready and names the stages."""
        run = Run(offline.watch())
        run.store.before = lambda unit: run.loop.stop()
        run.loop.run(LedgerFile(None))
        state = run.metrics.published.state
        assert not state.ready
        assert state.reason == "cannot read payments: source, payments: to-dr yet"
        assert run.metrics.published.snapshot.sum("tail_up") == 0
