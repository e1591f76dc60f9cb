"""File systems made for a test: small ones, read-only ones."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import components


@contextmanager
def mounted(folder: Path, *mounts: list[str]) -> Iterator[Path]:
    """An empty folder with something mounted on it, by the arguments of each `mount` in turn."""
    components.require("mount")
    folder.mkdir()
    done = 0
    try:
        for arguments in mounts:
            command = ["mount", *arguments, str(folder)]
            if subprocess.run(command, check=False, capture_output=True).returncode:
                components.lack("mount", "this user may not mount a file system")
            done += 1
        yield folder
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
