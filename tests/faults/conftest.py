"""What cases of the fault suite share: a seed that a failure prints, clusters, the table at the end."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support.agreement", "support.fault_case", "support.traffic_case")

from support import fault_table  # noqa: E402 - what is imported before it is registered is not rewritten
from support.fault_case import Terms  # noqa: E402
from support.mock import MockCluster  # noqa: E402
from support.rig import Rig  # noqa: E402
from support.traffic import Route  # noqa: E402
from support.traffic_case import TrafficCase  # noqa: E402

SEED = "DUPSCOPE_FAULT_SEED"

MakeCase = Callable[[Terms], TrafficCase]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What every draw of a case comes from; taken from the environment to repeat a case."""
    number = int(os.environ.get(SEED) or random.getrandbits(32))
    request.node.user_properties.append((SEED, number))
    return number


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A failing case says how to repeat it."""
    report = yield
    used = dict(item.user_properties).get(SEED)
    if report.failed and used is not None:
        report.sections.append(("repeat this case", f"{SEED}={used} make test ARGS='{item.nodeid}'"))
    return report


@pytest.fixture
def clusters() -> Iterator[tuple[MockCluster, MockCluster]]:
    """A primary and a DR cluster of mock brokers."""
    with MockCluster() as primary, MockCluster() as dr:
        yield primary, dr


@pytest.fixture
def make(clusters: tuple[MockCluster, MockCluster], seed: int, tmp_path: Path) -> Iterator[MakeCase]:
    """Makes a case on the mock clusters."""
    primary, dr = clusters
    route = Route(primary.bootstrap_servers, dr.bootstrap_servers)
    primary.create_topic(route.topic, route.partitions)
    dr.create_topic(route.mirrored, route.partitions)
    with ExitStack() as stack:
        yield lambda terms: stack.enter_context(TrafficCase(tmp_path, route, seed, terms))


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two real clusters. Each test has topics of its own."""
    with Rig(tmp_path_factory.mktemp("rig")) as clusters:
        yield clusters


@pytest.fixture
def make_real(rig: Rig, seed: int, tmp_path: Path) -> Iterator[MakeCase]:
    """Makes a case on the real clusters."""
    route = Route(rig.primary.bootstrap, rig.dr.bootstrap, f"payments-{seed:x}", pause=0.2)
    rig.primary.create_topic(route.topic, route.partitions)
    rig.dr.create_topic(route.mirrored, route.partitions)
    with ExitStack() as stack:
        yield lambda terms: stack.enter_context(TrafficCase(tmp_path, route, seed, terms))


def pytest_sessionfinish(exitstatus: int) -> None:
    """The table is written by a run in which every case has passed; otherwise it is left alone."""
    if exitstatus == pytest.ExitCode.OK:
        fault_table.write()
