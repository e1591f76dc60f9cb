"""The faults on real Kafka: brokers killed, leaders moved, networks cut and slow, and the program killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.fault_case import Terms, often
from support.killing import kill_loop
from support.pair import Pair
from support.proxy import Proxy, ports_of
from support.rig import Rig
from support.traffic import Route
from support.traffic_case import TrafficCase

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


class TestRealKafka:
    def test_no_fault(self, make_real):
        case = make_real(Terms("no fault", "real"))
        case.begin()
        case.traffic.wait_phases(20)
        case.finish()

    def test_killed_again_and_again_at_random_moments(self, make_real, seed):
        case = make_real(Terms("kill -9 at random moments", "real"))
        case.watch.start()
        case.traffic.start()
        kill_loop(case, often(12), seed)
        lists = case.finish()
        assert min(lists.truth.layer(layer) for layer in ("produce", "mirror", "consume")) >= case.cycles

    def test_a_broker_is_killed_and_restarted(self, make_real, rig):
        """The traffic goes on meanwhile, as far as it can: its producer waits for the broker."""
        case = make_real(Terms("broker killed and restarted", "real"))
        case.begin()
        for broker in (rig.primary, rig.dr):
            broker.kill()
            case.look(20)
            broker.restart()
            broker.wait_ready()
            case.traffic.phase()
            case.cycles += 1
        case.finish()


class TestRealNetwork:
    @pytest.fixture
    def proxies(self, rig: Rig) -> Iterator[dict[str, Proxy]]:
        brokers = {"primary": rig.primary, "dr": rig.dr}
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(closing(Proxy(ports_of(broker.bootstrap))))
                for name, broker in brokers.items()
            }

    def test_cut_refused_and_slow(self, make_real, proxies):
        seen = {name: proxy.bootstrap for name, proxy in proxies.items()}
        case = make_real(Terms("network cut, refused, slow", "real", seen=seen))
        case.begin()
        for proxy in (*proxies.values(), *proxies.values()):
            proxy.cut()
            case.traffic.phase()
            proxy.refuse()
            case.traffic.phase()
            case.look(10)
            assert proxy.refused, "it asks meanwhile"
            proxy.heal()
            proxy.slow(bytes_per_second=5_000, delay_seconds=0.2)
            case.traffic.phase()
            case.look(10)
            proxy.heal()
            case.cycles += 1
        case.finish()


class TestRealLeader:
    @pytest.fixture
    def case(self, rig: Rig, seed: int, tmp_path: Path) -> Iterator[TrafficCase]:
        with Pair("pair", tmp_path / "pair") as pair:
            route = Route(pair.bootstrap, rig.dr.bootstrap, f"led-{seed:x}", pause=0.2)
            pair.create_topic(route.topic, route.partitions)
            rig.dr.create_topic(route.mirrored, route.partitions)
            terms = Terms("leader killed, moved, moved back", "real")
            with TrafficCase(tmp_path, route, seed, terms) as case:
                case.pair = pair
                yield case

    def test_leaders_die_and_come_back(self, case):
        """Of a source of two brokers one dies: the other leads all, until the first has caught up."""
        topic = case.traffic.route.topic
        case.begin()
        for _ in range(2):
            case.pair.kill_second(topic)
            case.traffic.phase()
            case.look(10)
            case.pair.restart_second(topic)
            case.traffic.phase()
            case.look(10)
            case.cycles += 1
        case.finish()
