"""One pair of real clusters for all tests of this folder: each test has topics and mirrors of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import verification
from support.rig import Rig
from support.stand import Stand

pytest.register_assert_rewrite("support.agreement")


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as clusters:
        yield clusters


@pytest.fixture
def stand(rig: Rig, tmp_path: Path) -> Iterator[Stand]:
    with Stand(rig, tmp_path) as parts:
        yield parts


def pytest_sessionfinish(exitstatus: int) -> None:
    """The table is written by a run in which every scenario has passed; otherwise it is left alone."""
    if exitstatus == pytest.ExitCode.OK:
        verification.write()
