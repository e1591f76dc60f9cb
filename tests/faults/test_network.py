"""Brokers that go away, leaders that move, a network that is cut or slow: lag, and no wrong number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path

import pytest

from support.fault_case import Terms, often
from support.mock import MockCluster
from support.proxy import Proxy, ports_of
from support.traffic import Route
from support.traffic_case import TrafficCase

BROKERS = 2


class Net:
    """Two mock clusters of several brokers, and between them and the program a proxy each."""

    def __init__(self, stack: ExitStack, folder: Path, seed: int) -> None:
        self._stack, self._folder, self._seed = stack, folder, seed
        self.primary, self.dr = (stack.enter_context(MockCluster(BROKERS)) for _ in range(2))
        self.route = Route(self.primary.bootstrap_servers, self.dr.bootstrap_servers)
        self.primary.create_topic(self.route.topic, self.route.partitions)
        self.dr.create_topic(self.route.mirrored, self.route.partitions)
        self.proxies = {
            name: stack.enter_context(closing(Proxy(ports_of(cluster.bootstrap_servers))))
            for name, cluster in (("primary", self.primary), ("dr", self.dr))
        }

    def case(self, name: str) -> TrafficCase:
        """A case whose program sees the clusters through the proxies; all of it is started."""
        seen = {name: proxy.bootstrap for name, proxy in self.proxies.items()}
        case = self._stack.enter_context(
            TrafficCase(self._folder, self.route, self._seed, Terms(name, seen=seen))
        )
        case.begin()
        return case


@pytest.fixture
def net(seed: int, tmp_path: Path) -> Iterator[Net]:
    with ExitStack() as stack:
        yield Net(stack, tmp_path, seed)


class TestNetwork:
    def test_cut_and_refused(self, net):
        case = net.case("network cut")
        for name, proxy in list(net.proxies.items()) * 3:
            case.traffic.phase()
            proxy.cut()
            case.look(5)
            proxy.refuse()
            case.traffic.phase()
            case.look(10)
            assert proxy.refused, f"{name} is asked meanwhile"
            proxy.heal()
            case.cycles += 1
        case.finish()

    def test_slow(self, net):
        case = net.case("network slow")
        for proxy in (*net.proxies.values(), *net.proxies.values()):
            case.traffic.phase()
            proxy.slow(bytes_per_second=2_000, delay_seconds=0.3)
            case.traffic.phase()
            case.look(20)
            proxy.heal()
            case.cycles += 1
        case.finish()


class TestLeader:
    def test_moved(self, net):
        case = net.case("leader moved")
        for _, broker in zip(range(often(10)), cycle((2, 1)), strict=False):
            for number in range(net.route.partitions):
                net.primary.set_leader(net.route.topic, number, broker)
                net.dr.set_leader(net.route.mirrored, number, broker)
            case.traffic.phase()
            case.look(5)
            case.cycles += 1
        case.finish()


class TestBroker:
    def test_away(self, net):
        """The traffic stands still meanwhile: nothing can be written to a cluster that is away."""
        case = net.case("broker away")
        for cluster in (net.primary, net.dr, net.primary, net.dr):
            case.traffic.phase()
            case.traffic.stop()
            cluster.stop()
            case.look(10)
            cluster.resume()
            case.traffic.start()
            case.cycles += 1
        case.traffic.phase()
        case.finish()
