from __future__ import annotations

from dupscope.model.finding import Finding, Kind, Layer
from dupscope.store.commit import KEPT_FINDINGS, Commit, Store


def finding(number: int) -> Finding:
    return Finding(
        id=str(number),
        pipeline="payments",
        layer=Layer.PRODUCE,
        stage="source",
        topic="payments",
        kind=Kind.IDENTICAL,
        position=None,
        first=None,
        fingerprint="00ff",
        detected_at=0.0,
        timestamp=0.0,
    )


def commit(cycle: int, *numbers: int) -> Commit:
    return Commit(cycle, {"payments": {0: cycle}}, {"payments": {0: cycle}}, tuple(map(finding, numbers)))


class TestStore:
    def test_begins_empty(self):
        """A new store has no commit and no finding."""
        store = Store()
        assert store.last is None
        assert store.latest() == ()

    def test_last(self):
        """The last commit holds positions and audited bytes of its cycle."""
        store = Store()
        store.commit(commit(1))
        store.commit(commit(2))
        assert store.last == commit(2)
        assert store.last.positions == {"payments": {0: 2}}

    def test_latest(self):
        """Findings are newest first, over all commits, and only so many are kept."""
        store = Store()
        store.commit(commit(1, 1, 2))
        store.commit(commit(2))
        store.commit(commit(3, 3))
        assert [each.id for each in store.latest()] == ["3", "2", "1"]
        store.commit(commit(4, *range(100, 100 + KEPT_FINDINGS)))
        assert [each.id for each in store.latest()] == [
            str(number) for number in reversed(range(100, 100 + KEPT_FINDINGS))
        ]

    def test_latest_does_not_change(self):
        """What was handed out stays as it was: another thread shows it."""
        store = Store()
        store.commit(commit(1, 1))
        shown = store.latest()
        store.commit(commit(2, 2))
        assert [each.id for each in shown] == ["1"]
