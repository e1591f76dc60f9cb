"""One pair of real clusters for all tests of this folder: each test has topics and mirrors of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import verification
from support.rig import Rig

pytest.register_assert_rewrite("support.agreement")


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as clusters:
        yield clusters


def pytest_sessionfinish(exitstatus: int) -> None:
    """The table is written by a run in which every scenario has passed; otherwise it is left alone."""
    if exitstatus == pytest.ExitCode.OK:
        verification.write()
