from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dupscope.model.errors import StoreError
from dupscope.store.lock import LOCK_FILE, WriterLock

HOLD = """
import sys, time
from pathlib import Path
from dupscope.store.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


class TestWriterLock:
    def test_names_its_holder(self, tmp_path: Path):
        lock = WriterLock(tmp_path)
        with pytest.raises(StoreError, match=f"is in use by process {os.getpid()} on host .*, since 20"):
            WriterLock(tmp_path)
        lock.release()
        WriterLock(tmp_path).release()

    def test_dies_with_its_process(self, tmp_path: Path):
        """However that ends."""
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(StoreError, match=f"process {holder.pid} on"):
                WriterLock(tmp_path)
            holder.send_signal(signal.SIGKILL)
        WriterLock(tmp_path).release()

    def test_holder_that_could_not_sign(self, tmp_path: Path):
        """On a full disk nobody can write his name."""
        lock = WriterLock(tmp_path)
        (tmp_path / LOCK_FILE).write_text("")
        with pytest.raises(StoreError, match="in use by another process"):
            WriterLock(tmp_path)
        lock.release()

    def test_folder_that_is_not_there(self, tmp_path: Path):
        with pytest.raises(StoreError, match=r"state.path .*absent: cannot be written: No such file"):
            WriterLock(tmp_path / "absent")
