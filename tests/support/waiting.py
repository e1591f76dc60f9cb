"""Waiting for a condition, with a deadline, instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.1


class DeadlineExceededError(AssertionError):
    """A condition did not become true in time."""


def wait_until(condition: Callable[[], T], timeout: float, what: str, poll: float = POLL_SECONDS) -> T:
    """The first true value of `condition`, asked every `poll` seconds.

    Raises `DeadlineExceededError` naming `what` after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise DeadlineExceededError(f"after {timeout:.0f} s still not true: {what}")
        pause.wait(poll)
    return value
