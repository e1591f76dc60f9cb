"""One pair of real clusters for all tests of this folder: each test has topics and mirrors of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.rig import Rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as clusters:
        yield clusters
