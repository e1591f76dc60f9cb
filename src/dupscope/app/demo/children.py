"""Processes of the demo: started, watched while others are waited for, and ended by their own process id."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from dupscope.model.errors import DupscopeError

T = TypeVar("T")

FINISHED, KILLED = 0, -signal.SIGKILL

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the demo."""

POLL_SECONDS = 0.05
WAIT_SECONDS = 40.0
GRACE_SECONDS = 5.0
TAIL_LINES = 15


class DemoError(DupscopeError):
    """The demo itself failed; this says nothing about what dupscope can do."""


class TooLateError(DemoError):
    """Something did not happen in time."""


@dataclass
class Child:
    """One process. `planned_end` is the exit code with which it may end by itself, None when it must not.

    A `dismissed` one was asked to end.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    planned_end: int | None = None
    dismissed: bool = False

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self.process.poll()

    @property
    def ended_as_planned(self) -> bool:
        """Whether it has ended by itself, and was to."""
        return self.planned_end is not None and self.exit_code == self.planned_end

    @property
    def failed(self) -> bool:
        """Whether it ended in a way that was not planned."""
        return self.exit_code is not None and not self.dismissed and not self.ended_as_planned

    def printed(self, pattern: str) -> str | None:
        """The first group of the first match in what it has printed so far."""
        found = re.search(pattern, self.log.read_text(errors="replace"))
        return found[1] if found else None

    def tail(self) -> str:
        """The last lines of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that end the demo wait: one between a start and its note would leave a process behind.

    They are not blocked, since a process that is started would inherit that. For the main thread.
    """
    came: list[int] = []
    before = {number: signal.signal(number, lambda which, _frame: came.append(which)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for which in came[:1]:
            signal.raise_signal(which)


class Children:
    """All processes of one demo. `close` leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Child] = []

    def start(self, name: str, *arguments: str, planned_end: int | None = None) -> Child:
        """Start `python -m` with these arguments; what it prints goes into a log under its name."""
        log = self._folder / f"{name}.log"
        with _uninterrupted(), log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self._folder,
                process_group=0,  # Ctrl-C is for the parent, which ends its children in order
            )
            child = Child(name, process, log, planned_end)
            self._all.append(child)
        return child

    def wait(self, condition: Callable[[], T | None], what: str) -> T:
        """The first true value of `condition`; an OSError in it counts as not yet.

        Raises DemoError when a child fails, TooLateError when it takes too long.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        pause = threading.Event()
        while not (value := _attempt(condition)):
            self.check()
            if time.monotonic() > deadline:
                raise TooLateError(f"demo: gave up after {WAIT_SECONDS:.0f} s: waited until {what}")
            pause.wait(POLL_SECONDS)
        return value

    def watch(self) -> None:
        """Never return; raise DemoError as soon as a child fails."""
        pause = threading.Event()
        while True:
            self.check()
            pause.wait(POLL_SECONDS)

    def check(self) -> None:
        """Raise DemoError with the end of its log if a child has failed."""
        for child in self._all:
            if child.failed:
                raise DemoError(
                    f"demo: {child.name} ended with {child.exit_code}; the end of its log:\n{child.tail()}"
                )

    def end(self, *children: Child) -> None:
        """Ask these to end, then insist."""
        for child in children:
            child.dismissed = True
            if child.exit_code is None:
                child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def close(self) -> None:
        """End all that run."""
        self.end(*self._all)


def _attempt(condition: Callable[[], T | None]) -> T | None:
    try:
        return condition()
    except OSError:
        return None


def own(module: str, settings: Any) -> tuple[str, str]:  # noqa: ANN401 - any dataclass of plain values
    """The arguments that run one of the demo's own modules."""
    return f"dupscope.app.demo.{module}", json.dumps(asdict(settings))
