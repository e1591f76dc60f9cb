"""Child processes whose output goes into a file and which are ended by their own process id."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.waiting import wait_until

TAIL_BYTES = 4000


@dataclass
class LoggedProcess:
    """One child process. Standard output goes to `log`, standard error as well unless `errors` is named."""

    command: list[str]
    log: Path
    errors: Path | None = None
    env: Mapping[str, str] | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start once more, appending to the same files. Any former child must be over."""
        if self.running:
            raise RuntimeError(f"already running as {self.pid}")
        with self.log.open("ab") as out, (self.errors or self.log).open("ab") as err:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.env,
                cwd=self.log.parent,
            )

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return None if self._child is None else self._child.poll()

    def kill(self) -> None:
        """kill -9: nothing of it gets a chance to finish."""
        assert self._child is not None, "not started"
        self._child.kill()
        self._child.wait()

    def send(self, number: int) -> None:
        """Send a signal. A process that SIGSTOP has halted must get SIGCONT before it can be stopped."""
        assert self._child is not None, "not started"
        self._child.send_signal(number)

    def stop(self, timeout: float = 20) -> int:
        """Ask to end (SIGTERM) and wait; kill when it takes longer than `timeout` seconds. The exit code."""
        assert self._child is not None, "not started"
        if self.running:
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._child.wait()

    def wait_exit(self, timeout: float) -> int:
        """The exit code, once it has ended by itself."""
        wait_until(lambda: not self.running, timeout, f"{self.log.name} has ended")
        assert self._child is not None
        return self._child.wait()

    def assert_running(self) -> bool:
        """True; raises with the end of the log when the process has died."""
        if not self.running:
            raise AssertionError(f"{self.command[0]} ended with {self.exit_code}:\n{self.tail()}")
        return True

    def tail(self) -> str:
        """The last lines of its output, for messages."""
        return (self.errors or self.log).read_bytes()[-TAIL_BYTES:].decode(errors="replace")

    def close(self) -> None:
        """End it, if it still runs. For clean-up: a process that was never started is fine."""
        if self.running:
            self.stop()
