"""The detector under a wall clock that a test moves: `python shifted.py CONFIG FILE`.

Run as a program. The file has the seconds to add to the time of day; what is in it holds from that moment on.
The clock is the environment, not the program: `time.time` and `time.time_ns` are replaced before anything of
the program is imported. The monotonic clock and the Kafka client's own go on as they are.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


class WallClock:
    """The time of day, moved by what a file says."""

    def __init__(self, offset: Path) -> None:
        self._offset = offset
        self._real = time.time_ns

    def time_ns(self) -> int:
        return self._real() + int(float(self._offset.read_text()) * 1e9)

    def time(self) -> float:
        return self.time_ns() / 1e9


def main(config: str, offset: str) -> int:
    clock = WallClock(Path(offset))
    time.time, time.time_ns = clock.time, clock.time_ns
    from dupscope.app.run import run  # noqa: PLC0415 - the clock comes first
    from dupscope.config.load import load  # noqa: PLC0415

    return run(load(Path(config), os.environ))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
