"""`dupscope demo` as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIMIT_SECONDS = 120
COMMAND = [sys.executable, "-m", "dupscope", "demo"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Temporary files go where the test can see what is left."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


def left_behind(folder: Path) -> list[str]:
    """Files in a folder, and command lines of processes that name it."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(file.read_text().replace("\0", " "))
        except OSError:
            continue
    return [*map(str, folder.iterdir()), *(each for each in commands if str(folder) in each)]


class TestDemo:
    def test_planted_is_reported(self, env: dict[str, str], tmp_path: Path) -> None:
        """What the demo's own lists say was planted is what dupscope reports, at every layer and origin."""
        began = time.monotonic()
        done = subprocess.run([*COMMAND, "--json"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert shown["planted"] == shown["reported"]
        assert shown["effects"]["planted"] == shown["effects"]["reported"]
        assert set(shown["planted"]) == {"produce", "mirror", "consume"}
        assert min(shown["planted"].values()) > 0
        assert shown["charges"] - shown["payments"] == sum(shown["effects"]["planted"].values())
        assert shown["unverified"] == 0
        assert time.monotonic() - began < LIMIT_SECONDS
        assert left_behind(tmp_path) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted(self, env: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
        """Interrupted in the middle, it leaves neither a process nor a file."""
        with subprocess.Popen(COMMAND, env=env, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            assert any("producer:" in line for line in demo.stdout)
            demo.send_signal(number)
            assert demo.wait(30) == 130
        assert left_behind(tmp_path) == []
