"""What every test run says at its end: what could not run, and the seed that repeats it."""

from __future__ import annotations

import random
import signal

import pytest

from support import components


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed for all, chosen before the plugins choose theirs: test order, random numbers, Hypothesis.

    And SIGINT as from a terminal: a shell starts what runs in its background with that signal ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    option = config.option
    if getattr(option, "randomly_seed", None) == "default":
        option.randomly_seed = random.SystemRandom().getrandbits(32)
    seed = seed_of(config)
    if seed is not None and getattr(option, "hypothesis_seed", None) is None:
        option.hypothesis_seed = str(seed)


def seed_of(config: pytest.Config) -> int | None:
    """The seed of this run, None when nothing is random in it."""
    seed = getattr(config.option, "randomly_seed", None)
    return seed if isinstance(seed, int) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seed = seed_of(config)
    if seed is not None:
        terminalreporter.write_line(f"seed of order, data and Hypothesis: repeat with --randomly-seed={seed}")
    lines = components.summary()
    if lines:
        terminalreporter.section("PARTS THAT DID NOT RUN", sep="!", red=True, bold=True)
        for line in lines:
            terminalreporter.write_line(line, red=True, bold=True)
