from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dupscope.app.demo.cast import Cast
from dupscope.app.demo.children import Children


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    with closing(Children(tmp_path)) as children:
        yield children


@pytest.fixture
def cast(tmp_path: Path, children: Children) -> Cast:
    return Cast(tmp_path, children)


@pytest.fixture
def produced(cast: Cast, children: Children) -> Cast:
    """With all payments on the source."""
    producer = cast.start_producer()
    children.wait(lambda: producer.ended_as_planned, "all payments are sent")
    return cast
