from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dupscope.app.demo.children import FINISHED, KILLED, Children, DemoError, own

NEVER = "import threading; print('hello 7', flush=True); threading.Event().wait()"
DIE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Modules written into this folder are found, since it is where the processes start."""
    for name, text in {
        "never": NEVER,
        "die": DIE,
        "short": "",
        "fail": "raise ValueError('broken pipe dream')",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    with closing(Children(tmp_path)) as children:
        yield children


class TestChildren:
    def test_printed(self, children: Children) -> None:
        """What a process prints can be waited for."""
        child = children.start("greeter", "never")
        assert children.wait(lambda: child.printed(r"hello (\d)"), "it greets") == "7"

    def test_failure(self, children: Children) -> None:
        """A process that dies ends every wait, with its name and the end of its log."""
        children.start("unlucky", "fail")
        with pytest.raises(DemoError, match=r"unlucky ended with 1; .*\n(.*\n)*.*broken pipe dream"):
            children.wait(lambda: None, "nothing")

    def test_unplanned_end(self, children: Children) -> None:
        """Also an end without an error is a failure where none was planned."""
        children.start("short", "short", planned_end=KILLED)
        with pytest.raises(DemoError, match="short ended with 0"):
            children.wait(lambda: None, "nothing")

    def test_planned_kill(self, children: Children) -> None:
        """A death by kill -9 that was planned is none."""
        child = children.start("doomed", "die", planned_end=KILLED)
        assert children.wait(lambda: child.ended_as_planned, "it dies")
        children.check()

    def test_planned_finish(self, children: Children) -> None:
        """So is an end without an error, where that was planned."""
        child = children.start("short", "short", planned_end=FINISHED)
        assert children.wait(lambda: child.ended_as_planned, "it ends")

    def test_errors_are_not_yet(self, children: Children) -> None:
        """A connection refused in a condition is no failure yet."""
        answers = iter([ConnectionRefusedError(), "up"])

        def ask() -> str:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return str(answer)

        assert children.wait(ask, "it answers") == "up"

    def test_close(self, children: Children) -> None:
        """Closing leaves no process behind."""
        child = children.start("greeter", "never")
        children.close()
        assert child.exit_code is not None
        children.check()

    def test_a_signal_while_one_starts(self, children: Children, tmp_path: Path) -> None:
        """Whenever it comes, the process that was being started is known, and so can be ended."""

        def interrupt(_number: int, _frame: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, interrupt)
        try:
            for turn in range(60):
                interrupted = start_interrupted(children, turn * 0.0001)
                assert interrupted, turn
        finally:
            signal.signal(signal.SIGTERM, before)
        children.close()
        assert running_in(tmp_path) == []


def start_interrupted(children: Children, seconds: float) -> bool:
    """Start one process; after `seconds` a SIGTERM comes. True once it has."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        timer.start()
        children.start("greeter", "never")
        while True:
            timer.join(0.01)
    except KeyboardInterrupt:
        timer.join()
        return True


def running_in(folder: Path) -> list[str]:
    """Processes whose working folder this is."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if each.readlink() == folder:
                found.append(each.parent.name)
    return found


@dataclass
class Shape:
    topic: str


class TestOwn:
    def test_own(self) -> None:
        """A module of the demo gets its settings as one JSON argument."""
        assert own("mirror", Shape("t")) == ("dupscope.app.demo.mirror", '{"topic": "t"}')
