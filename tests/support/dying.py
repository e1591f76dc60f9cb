"""The detector, killed by itself: `python dying.py CONFIG STEP NTH`.

Run as a program. It ends with -9 at the NTH time that it reaches STEP: the detector tells each step of its
commit, publishing and restore to whoever asks.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from dupscope.app.run import run
from dupscope.config.load import load


class Death:
    """Waits for a step."""

    def __init__(self, step: str, nth: int) -> None:
        self._step = step
        self._left = nth

    def __call__(self, reached: str) -> None:
        self._left -= reached == self._step
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def main(config: str, step: str, nth: str) -> int:
    return run(load(Path(config), os.environ), step=Death(step, int(nth)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
