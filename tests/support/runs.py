"""Many processes of the program one after the other, with one configuration, one state and one address."""

from __future__ import annotations

import random
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from support.dupscope_process import LISTEN_SECONDS, DupscopeProcess, reported
from support.oracle import Where
from support.waiting import wait_until

LASTING = ("id", "pipeline", "layer", "stage", "topic", "kind", "fingerprint", "ordinal")
PLACES = ("partition", "offset", "physical_topic", "first_partition", "first_offset", "first_physical_topic")


class Runs:
    """The runs so far; the latest is the one that is meant by `current`. Each run has a log of its own."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.all: list[DupscopeProcess] = []

    @property
    def current(self) -> DupscopeProcess:
        return self.all[-1]

    def start(self, command: Sequence[str] | None = None) -> DupscopeProcess:
        """One more run of the program, or of a `command` in its place."""
        run = DupscopeProcess(self.config, name=f"run-{len(self.all):04}")
        if command is not None:
            run.process.command = list(command)
        self.all.append(run)
        run.start()
        return run

    def script(self, path: str, *arguments: str) -> DupscopeProcess:
        """One more run by a Python script that is given the configuration first."""
        return self.start([sys.executable, path, str(self.config), *arguments])

    def wait_listening(self, timeout: float = LISTEN_SECONDS) -> None:
        """Wait until the current run says where it listens."""
        run = self.current
        wait_until(
            lambda: run.process.assert_running() and run.lines("listening"), timeout, "it listens", poll=0.02
        )

    def findings(self) -> Counter[Where]:
        """Places of all findings that any run has logged; one that several runs logged counts once."""
        found = {str(line["id"]): line for run in self.all for line in run.lines("duplicate")}
        return Counter(
            reported(line, "first_" if line["layer"] == "consume" else "") for line in found.values()
        )

    def contradictions(self) -> list[str]:
        """Findings that one run logged twice, or that another run logged under the same id otherwise."""
        known: dict[str, list[object]] = {}
        problems = []
        for number, run in enumerate(self.all):
            seen: set[str] = set()
            for line in run.lines("duplicate"):
                name, facts = str(line["id"]), [line[field] for field in (*LASTING, *PLACES)]
                if name in seen:
                    problems.append(f"run {number} logs {name} twice")
                if known.setdefault(name, facts) != facts:
                    problems.append(f"run {number} logs {name} as {facts}, before as {known[name]}")
                seen.add(name)
        return problems

    def logged_again(self) -> int:
        """Log lines of findings beyond the first of each id."""
        lines = [str(line["id"]) for run in self.all for line in run.lines("duplicate")]
        return len(lines) - len(set(lines))

    def close(self) -> None:
        for run in self.all:
            run.close()


def lasting_port() -> int:
    """A free port outside of what the system deals out: nobody takes it while its owner is dead."""
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port
