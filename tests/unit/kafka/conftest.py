from __future__ import annotations

from collections.abc import Iterator

import pytest

from dupscope.kafka.settings import ClusterSettings
from support.mock import MockCluster


class ManualClock:
    """Stands still until a test moves it; a sleep moves it too."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def mock() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture
def settings(mock: MockCluster) -> ClusterSettings:
    return ClusterSettings("a", {"bootstrap.servers": mock.bootstrap_servers})


@pytest.fixture
def nowhere() -> ClusterSettings:
    """A cluster where nobody listens."""
    return ClusterSettings("gone", {"bootstrap.servers": "127.0.0.1:1"}, timeout_seconds=0.3)
