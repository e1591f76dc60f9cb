"""A disk that is full for a while, a folder that vanishes, a damaged store: nothing false, nothing lost."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.disk import mounted
from support.dupscope_process import DupscopeProcess, total
from support.fault_case import Terms
from support.waiting import wait_until

DISK = "3m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes in place of the state folder."""
    with mounted(tmp_path / "state", ["-t", "tmpfs", "-o", f"size={DISK}", "none"]) as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Leave no space."""
    filler = folder / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    return filler


class TestFullDisk:
    def test_waits_and_goes_on(self, small_disk, make):
        """Metrics are served, nothing uncommitted is shown; with space it goes on by itself, exactly."""
        case = make(Terms("disk full for a while"))
        case.begin()
        for _ in range(2):
            filler = fill(small_disk)
            case.traffic.phase()
            wait_until(lambda: total(case.watch.last, "store_writable") == 0, 60, "it cannot write")
            shown = total(case.watch.last, "records_total")
            case.traffic.phase()
            case.look(5)
            assert total(case.watch.last, "records_total") == shown
            filler.unlink()
            wait_until(lambda: total(case.watch.last, "store_writable") == 1, 60, "it can write again")
            case.cycles += 1
        case.finish()

    def test_killed_and_started_while_full(self, small_disk, make):
        """A start waits for space as well, and ends nothing."""
        case = make(Terms("killed and started while the disk is full"))
        case.begin()
        case.traffic.phase()
        filler = fill(small_disk)
        wait_until(lambda: total(case.watch.last, "store_writable") == 0, 60, "it cannot write")
        case.runs.current.process.kill()
        case.runs.start()
        case.runs.wait_listening()
        case.traffic.phase()
        case.runs.current.process.assert_running()
        filler.unlink()
        case.look(5)
        case.cycles += 1
        case.finish()


class TestLostFolder:
    def test_written_anew_from_memory(self, make, tmp_path):
        """The folder is deleted under a running program; a kill right after that finds everything again."""
        case = make(Terms("state folder deleted while running", allowed=("store_resets_total",)))
        case.begin()
        for resets in (1, 2):
            case.traffic.phase()
            shutil.rmtree(tmp_path / "state")
            wait_until((tmp_path / "state" / "dupscope.db").exists, 60, "a new store is there")
            case.look(5)
            case.runs.current.process.kill()
            case.runs.start()
            case.look(5)
            case.cycles = resets
        case.finish()


def damage(folder: Path, draw: random.Random) -> str:
    """Spoil the store at a random place. Returns how."""
    path = folder / "dupscope.db"
    content = bytearray(path.read_bytes())
    written = [at for at, byte in enumerate(content) if byte]
    kind = draw.choice(["flip", "zero a page", "cut", "empty", "header", "no wal", "cut wal"])
    at = draw.choice(written)
    wal = folder / "dupscope.db-wal"
    if kind == "flip":
        content[at] ^= 1 << draw.randrange(8)
    elif kind == "zero a page":
        page = at // 16384 * 16384
        content[page : page + 16384] = bytes(16384)
    elif kind == "cut":
        del content[at:]
    elif kind == "empty":
        content.clear()
    elif kind == "header":
        content[draw.randrange(100)] ^= 0xFF
    elif kind == "no wal":
        wal.unlink(missing_ok=True)
    elif wal.exists():
        wal.write_bytes(wal.read_bytes()[: draw.randrange(wal.stat().st_size + 1)])
    path.write_bytes(content)
    return f"{kind} at {at}"


class TestDamage:
    @pytest.mark.timeout(400)
    def test_no_crash_and_nothing_false(self, make, tmp_path, seed):
        """Killed, damaged at a random place, started: every finding is true, all are found in the end."""
        draw = random.Random(seed)
        case = make(Terms("store damaged at a random place", allowed=EVERYTHING))
        case.runs.start()
        case.traffic.start()
        for _ in range(8):
            case.traffic.phase()
            wait_ready(case.runs.current)
            case.runs.current.process.kill()
            what = damage(tmp_path / "state", draw)
            run = case.runs.start()
            wait_until(lambda run=run: run.process.assert_running() and run.lines("ready"), 60, what)
            case.cycles += 1
        case.traffic.stop()
        truth = case.pipeline.lists().truth.extras
        wait_until(lambda: case.runs.findings() == truth, 60, "what is reported is what was planted")
        assert case.runs.current.process.stop(timeout=10) == 0


EVERYTHING = ("records_total",)


def wait_ready(run: DupscopeProcess) -> None:
    wait_until(lambda: run.process.assert_running() and run.lines("ready"), 60, "it is ready")
