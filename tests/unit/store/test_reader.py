from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dupscope.model.errors import StoreError
from dupscope.store.reader import StoreReader
from support.disk import mounted
from unit.store.conftest import finding


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder where it cannot be written, not even by root."""
    again = folder / "again"
    with mounted(again, ["--bind", str(folder)], ["-o", "remount,bind,ro"]):
        yield again


class TestStoreReader:
    def test_beside_the_writer(self, opened, pipeline, tmp_path: Path):
        """It sees what was committed when it was opened, however the writer goes on."""
        store = opened()
        store.load()
        pipeline.read(1)
        store.commit(pipeline.commit(finding(1), finding(2), checkpoint=True))
        with StoreReader(tmp_path) as reader:
            pipeline.read(2)
            store.commit(pipeline.commit(finding(3), checkpoint=True))
            assert [each.id for each in reader.findings()] == ["id-1", "id-2"]
            assert reader.contents.last.number == 1
            assert len(reader.contents.partitions("payments")) == 1

    def test_after_the_writer(self, opened, pipeline, tmp_path: Path):
        store = opened()
        store.load()
        pipeline.read(1)
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        store.close()
        with StoreReader(tmp_path) as reader:
            assert list(reader.findings(1_001_000, 1_001_001)) == [finding(1)]
            assert list(reader.findings(1_001_001)) == []

    def test_read_only_folder(self, opened, pipeline, tmp_path: Path):
        """A snapshot that is mounted read-only can be looked at, if the writer ended in order."""
        store = opened()
        store.load()
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        store.close()
        with read_only(tmp_path) as folder, StoreReader(folder) as reader:
            assert list(reader.findings()) == [finding(1)]

    def test_leaves_nothing_that_matters(self, opened, pipeline, tmp_path: Path):
        """The next writer takes what a reader has left as it finds it."""
        store = opened()
        store.load()
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        store.close()
        assert not list(tmp_path.glob("*.db-*"))
        before = store.path.read_bytes()
        with StoreReader(tmp_path) as reader:
            assert list(reader.findings()) == [finding(1)]
        assert store.path.read_bytes() == before
        store = opened()
        assert store.load().seq == 1
        store.commit(pipeline.commit())
        store.close()
        assert not list(tmp_path.glob("*.db-*"))

    def test_new_partitions_of_the_journal(self, opened, pipeline, tmp_path: Path):
        """Those numbered since the checkpoint are told as well."""
        store = opened()
        store.load()
        table, pipeline.table.partitions = pipeline.table.partitions, []
        store.commit(pipeline.commit(checkpoint=True))
        pipeline.table.partitions = table
        pipeline.read(1)
        store.commit(pipeline.commit())
        with StoreReader(tmp_path) as reader:
            assert reader.contents.partitions("payments") == table

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(StoreError, match="no state is stored there yet"):
            StoreReader(tmp_path)
