from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.postgres import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Postgres for all tests of this folder; each makes tables of its own."""
    with Server(tmp_path_factory.mktemp("postgres")) as server:
        yield server
