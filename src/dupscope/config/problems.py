"""Everything that is wrong with a configuration, collected before anything is raised."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dupscope.model.errors import ConfigError


class Problems:
    """Collects what is wrong, each with the path of its key in the file. Repeats are kept once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: str, what: str) -> None:
        """Note a problem: what is wrong and what to do, at a dotted path ("" for the whole file)."""
        self._found[": ".join(part for part in (self._file, path, what) if part)] = None

    def has_any(self, path: str) -> bool:
        """Whether something is wrong at a path or below it."""
        begin = f"{self._file}: {path}" if self._file else path
        return any(found.startswith((f"{begin}:", f"{begin}.", f"{begin}[")) for found in self._found)

    def raise_if_any(self) -> None:
        """Raise a `ConfigError` with all problems, in the order they were found."""
        if self._found:
            raise ConfigError(list(self._found))


def join(path: str, name: object) -> str:
    """The path of a key below `path`."""
    return f"{path}.{name}" if path else str(name)


def close(name: str, known: Iterable[str]) -> list[str]:
    """The known name that an unknown one seems to mean, or nothing."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the nearest known one, or else all that are known."""
    names = list(dict.fromkeys(known))
    if found := close(name, names):
        return f"did you mean '{found[0]}'?"
    return f"known here: {', '.join(names)}" if names else "none is known here"


def nearest_of_all(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown name where there are few: the nearest known one, and all that are known."""
    names = list(dict.fromkeys(known))
    every = f"known here: {', '.join(names)}" if names else "none is known here"
    return f"did you mean '{found[0]}'? {every}" if (found := close(name, names)) else every
