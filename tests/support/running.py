"""What a test starts and must end."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self


class Running:
    """A context manager: what is entered into `_running` is ended with the block, the last first."""

    def __init__(self) -> None:
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
