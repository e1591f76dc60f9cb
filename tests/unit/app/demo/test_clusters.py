from __future__ import annotations

from confluent_kafka import Producer

from dupscope.app.demo.clusters import PARTITIONS, MockCluster


class TestMockCluster:
    def test_topic(self) -> None:
        """Its topic is there, with the partitions that the mirror counts on, for any client."""
        cluster = MockCluster("payments")
        client = Producer({"bootstrap.servers": cluster.bootstrap_servers})
        assert len(client.list_topics(timeout=10).topics["payments"].partitions) == PARTITIONS

    def test_two(self) -> None:
        """Two clusters are apart."""
        assert MockCluster("t").bootstrap_servers != MockCluster("t").bootstrap_servers
