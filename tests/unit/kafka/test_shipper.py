from __future__ import annotations

import pytest

from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.shipper import Shipper, TooLongError
from dupscope.model.errors import ConfigError
from support.dump import dump
from support.mock import MockCluster
from support.waiting import wait_until


@pytest.fixture
def cluster():
    with MockCluster() as cluster:
        cluster.create_topic("audit", 2)
        yield cluster


def shipper(cluster: MockCluster, topic: str = "audit", **properties: str) -> Shipper:
    settings = {"bootstrap.servers": cluster.bootstrap_servers, **properties}
    return Shipper(ClusterSettings("agent", settings), topic)


class TestShipper:
    def test_records_of_one_key_in_order(self, cluster):
        writer, told = shipper(cluster), []
        for number in range(500):
            assert writer.ship("file", b"%d" % number, [("end", b"1")], told.append)
        assert writer.flush(30) == 0
        assert told == [True] * 500
        found = dump(cluster.bootstrap_servers, "audit")
        assert [record.value for record in found] == [b"%d" % number for number in range(500)]
        assert len({record.partition for record in found}) == 1
        writer.close()

    def test_brokers_that_are_away(self, cluster):
        """What waits is written when they are back; nothing fails meanwhile."""
        writer, told = shipper(cluster), []
        cluster.stop()
        assert writer.ship("file", b"1", [], told.append)
        writer.poll(1.0)
        assert (told, writer.waiting, writer.failure) == ([], 1, None)
        cluster.resume()
        wait_until(lambda: writer.poll(0.1) or told, 60, "it is acknowledged")
        assert (told, writer.failure) == ([True], None)
        writer.close()

    def test_a_record_that_the_client_does_not_take(self, cluster):
        writer = shipper(cluster, **{"message.max.bytes": "2000"})
        with pytest.raises(TooLongError):
            writer.ship("file", b"x" * 3000, [], lambda _: None)
        assert writer.failure is None
        writer.close()

    def test_a_record_that_the_brokers_do_not_take(self, cluster):
        cluster.fail(0, 10)  # Produce, MESSAGE_TOO_LARGE
        writer, told = shipper(cluster), []
        writer.ship("file", b"x", [], told.append)
        wait_until(lambda: writer.poll(0.1) or told, 30, "it is told")
        assert told == [False]
        writer.close()

    def test_access_denied(self, cluster):
        """The producer is given up, with the reason."""
        cluster.fail(0, *([29] * 50))  # Produce, TOPIC_AUTHORIZATION_FAILED
        writer, told = shipper(cluster), []
        writer.ship("file", b"x", [], told.append)
        wait_until(lambda: writer.poll(0.1) or writer.failure, 30, "it fails")
        assert (told, writer.failure) == ([], "topic_authorization_failed")
        writer.close()

    def test_a_property_that_the_client_refuses(self, cluster):
        with pytest.raises(ConfigError, match="cluster: "):
            shipper(cluster, **{"no.such.property": "x"})
