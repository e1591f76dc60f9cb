from __future__ import annotations

import shutil
import time
from typing import TextIO

INDENT = 10


class Progress:
    """Short lines about what has happened, with the seconds since the start.

    In a terminal the line of what is going on is overwritten; elsewhere only what is done is shown.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def doing(self, text: str) -> None:
        """Say what is going on."""
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            self._write(f"{self._clear}{self._stamp}{text} …"[: columns + len(self._clear) - 1])

    def done(self, *lines: str) -> None:
        """Say what has happened."""
        first, *more = lines
        self._write(f"{self._clear}{self._stamp}{first}\n")
        self._write("".join(f"{'':{INDENT}}{line}\n" for line in more))

    def say(self, text: str) -> None:
        """Write as it is."""
        self._write(f"{self._clear}{text}")

    def end(self) -> None:
        """Remove what was going on."""
        self._write(self._clear)

    @property
    def _clear(self) -> str:
        return "\r\x1b[K" if self._is_terminal else ""

    @property
    def _stamp(self) -> str:
        return f"{self.seconds:6.1f} s  "

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
