from __future__ import annotations

from confluent_kafka import Producer

PARTITIONS = 4
"""What a mock cluster gives to a topic that it makes by itself."""

CONNECT_SECONDS = 10.0


class MockCluster:
    """One broker of librdkafka's mock cluster with one topic: Kafka's protocol on a loopback port.

    It lives in this process, in threads of the client, and ends with this object.
    """

    def __init__(self, topic: str) -> None:
        self._owner = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "replaced by the mock's", "log_level": 0}
        )
        (broker,) = self._owner.list_topics(topic, timeout=CONNECT_SECONDS).brokers.values()
        self.bootstrap_servers = f"{broker.host}:{broker.port}"
