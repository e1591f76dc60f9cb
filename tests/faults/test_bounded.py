"""However long it runs, file and memory stay where they were after the first windows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dupscope.app.limits import shares
from dupscope.config.load import load
from dupscope.ledger.settings import LedgerSettings
from support.dupscope_process import DupscopeProcess, total
from support.endless import Endless
from support.fault_case import often
from support.mock import MockCluster
from support.payments import now_ms
from support.waiting import wait_until

WINDOW_CYCLES = 10
SETTLED = 6
"""Windows after which nothing may grow any more."""

DISK = 128 << 20
PARTITIONS = 64
RECORDS = 700_000
SPAN_MS = 50 * 60_000
READ_SECONDS = 120


@pytest.fixture
def endless(tmp_path):
    """Makes a pipeline of ten cycles a window, closed at the end."""
    made = []

    def endless(keys, memory_bytes, **more):
        settings = LedgerSettings(
            window_ms=WINDOW_CYCLES * 1000, margin_ms=1000, memory_bytes=memory_bytes, block_rows=4096
        )
        made.append(Endless(tmp_path, settings, keys=keys, cycle_ms=1000, **more))
        return made[-1]

    yield endless
    for each in made:
        each.close()


def by_window(endless, windows):
    """For each window the most that the folder, the rows and the cases took."""
    peaks = [(0, 0, 0)] * windows
    for at, folder in enumerate(endless.run(range(1, windows * WINDOW_CYCLES + 1))):
        held = endless.ledger.held
        now = (folder, held.rows.nbytes, held.book.nbytes)
        peaks[at // WINDOW_CYCLES] = tuple(map(max, peaks[at // WINDOW_CYCLES], now))
    return peaks


def limited(folder, limits):
    """A configuration with one source in front of a mock cluster that is not there yet."""
    document = {
        "clusters": {"a": {"bootstrap.servers": "127.0.0.1:1"}},
        "pipelines": {"p": {"key": "kafka_key", "source": {"cluster": "a", "topics": ["t"]}}},
        "state": {"path": str(folder / "state")},
        "limits": limits,
        "web": {"listen": "127.0.0.1:0"},
    }
    document["pipelines"]["p"]["start"] = "earliest"
    return document


@pytest.mark.timeout(0)
class TestBounded:
    def test_neither_file_nor_memory_grows_after_the_first_windows(self, endless):
        pipeline = endless(keys=4000, memory_bytes=64 << 20, repeated=2)

        folder, rows, cases = zip(*by_window(pipeline, often(25)), strict=True)

        assert pipeline.ledger.held.retention.evictions == 0
        assert pipeline.findings > SETTLED * WINDOW_CYCLES
        for series in (folder, rows, cases):
            assert max(series[SETTLED:]) <= 1.1 * max(series[:SETTLED]), series

    def test_where_the_disk_is_small_the_oldest_go_and_the_file_stays_within_it(self, endless, tmp_path):
        """What the limit leaves for keys holds less than a window of them."""
        file = tmp_path / "dupscope.yaml"
        file.write_text(yaml.safe_dump(limited(tmp_path, {"memory": "8GiB", "disk": "128MiB"})))
        share = shares(load(file, {}))
        pipeline = endless(
            keys=25_000,
            memory_bytes=share.ledger_bytes,
            repeated=2,
            journal_bytes=share.journal_bytes,
            kept_findings=share.findings,
        )

        folder, _, _ = zip(*by_window(pipeline, often(20)), strict=True)

        held = pipeline.ledger.held
        assert held.retention.evictions > 0
        assert held.retention.evicted_until > held.edge.floor - WINDOW_CYCLES * 1000
        assert max(folder) < share.disk_bytes <= DISK


class TestSmallDisk:
    def test_the_program_counts_evictions_moves_its_coverage_and_stays_within_the_disk(self, tmp_path):
        with MockCluster() as cluster:
            _fill(cluster)
            document = limited(tmp_path, {"memory": "8GiB", "disk": "128MiB"})
            document["clusters"]["a"] = {"bootstrap.servers": cluster.bootstrap_servers}
            file = Path(tmp_path / "dupscope.yaml")
            file.write_text(yaml.safe_dump(document))
            before = _ended(file, "run-1")
            after = _ended(file, "run-2")

        assert total(before, "records_total") == RECORDS
        assert 0 < total(before, "index_evictions_total") < RECORDS
        assert total(before, "coverage_start_timestamp_seconds") > 0
        assert 0 < total(before, "store_bytes") < DISK
        for name in ("records_total", "index_evictions_total", "coverage_start_timestamp_seconds"):
            assert total(after, name) == total(before, name)


def _fill(cluster):
    """Records with keys of their own, in order of time."""
    cluster.create_topic("t", PARTITIONS)
    start = now_ms() - SPAN_MS
    records = (
        (at % PARTITIONS, b"%09d" % at, json.dumps({"id": at}).encode(), start + at * SPAN_MS // RECORDS)
        for at in range(RECORDS)
    )
    cluster.produce("t", records, **{"linger.ms": 50, "compression.type": "lz4"})


def _ended(file, name):
    """What a run shows once it has caught up, the folder watched all the while; it is ended then."""
    run = DupscopeProcess(file, name=name)
    run.start()
    state = file.parent / "state"

    def ready():
        run.process.assert_running()
        taken = sum(each.stat().st_size for each in state.glob("dupscope.db*"))
        assert taken < DISK
        return run.lines("ready")

    try:
        wait_until(ready, READ_SECONDS, "it has caught up")
        shown = run.scrape()
        assert run.process.stop(timeout=10) == 0, run.process.tail()
    finally:
        run.close()
    return shown
