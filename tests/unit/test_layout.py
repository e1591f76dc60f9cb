"""Every module has its tests at the place where one looks for them."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "dupscope"

NO_ROOM_OF_OURS = {"support": "what the tests themselves are made of"}
"""Folders of unit tests that mirror something else than a room of the program."""

TESTED_ELSEWHERE = {
    "__main__.py": "two lines; every demo test starts it",
    "app/agent.py": "a process runs it; tests/e2e/test_agent",
    "audit/wire.py": "names of headers; test_agent writes them, test_shipped reads them",
    "config/audits.py": "part of compose; test_compose, and the mistakes of test_load",
    "app/commits.py": "a loop drives it; test_loop",
    "app/restore.py": "a loop drives it; test_loop, and the faults",
    "store/contents.py": "a store fills it; test_store and test_reader",
    "config/settings.py": "plain values; test_compose makes them",
}
"""Modules without a test module of their own, and where to look instead."""


def modules() -> set[str]:
    """Paths below the package of all modules that hold code of their own."""
    found = (path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
    return {path.relative_to(SOURCE).as_posix() for path in found}


def mirrored() -> dict[str, Path]:
    """By the path of the module that each would test."""
    found = (path.relative_to(HERE) for path in HERE.rglob("test_*.py") if path != Path(__file__))
    return {path.with_name(path.name.removeprefix("test_")).as_posix(): path for path in found}


class TestLayout:
    def test_every_module_has_its_tests(self):
        """src/dupscope/room/module.py is tested by tests/unit/room/test_module.py, or says where."""
        assert sorted(modules() - mirrored().keys() - TESTED_ELSEWHERE.keys()) == []

    def test_every_test_module_has_its_module(self):
        """A test module that mirrors nothing was left behind by a move."""
        strays = mirrored().keys() - modules()
        assert sorted(path for path in strays if path.split("/")[0] not in NO_ROOM_OF_OURS) == []

    def test_no_exception_outlives_its_reason(self):
        """An exception names a module that exists and has no tests of its own."""
        assert sorted(TESTED_ELSEWHERE.keys() - modules()) == []
        assert sorted(TESTED_ELSEWHERE.keys() & mirrored().keys()) == []
