from __future__ import annotations

from pathlib import Path

from dupscope.app.saved import saved_pipelines
from dupscope.store.commit import Commit, PipelineCommit
from dupscope.store.reader import StoreReader
from dupscope.store.store import Store


class TestSavedPipelines:
    def test_where_it_stands(self, online, tmp_path: Path):
        """Tails and audit logs as of the last commit, the partitions that number them, and whose they are."""
        online.produce(1, 2, 3)
        online.audit.write_text("{}\n")
        watch = online.watch()
        watch.tails.open()
        watch.conclude(watch.observe(1, watch.read(1.0)), watch.read(0))
        folder = tmp_path / "stored"
        folder.mkdir()
        store = Store(folder)
        store.load()
        part = PipelineCommit(watch.identity, watch.entries, watch.saved(), watch.checkpoint())
        store.commit(Commit(1, {"payments": part}))
        with StoreReader(folder) as reader:
            (saved,) = saved_pipelines(reader).values()
        store.close()
        assert saved.identity == watch.identity
        assert saved.partitions == watch.table.partitions
        assert saved.tails == {log: watch.tails.saved(log) for log in (0, 1)}
        assert saved.audits[0][0] == 3
