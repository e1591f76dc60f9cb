from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from dupscope.app.demo import lists
from dupscope.app.demo.cast import COMMIT_EVERY, COPY, GROUP, Cast
from dupscope.app.demo.charges import made_charges
from dupscope.app.demo.children import Children
from dupscope.app.demo.clusters import PARTITIONS


def committed(servers: str) -> int:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": GROUP})
    offsets = consumer.committed([TopicPartition(COPY, number) for number in range(PARTITIONS)], timeout=10)
    consumer.close()
    return sum(max(0, each.offset) for each in offsets)


class TestChargingConsumer:
    def test_killed_before_its_commit(self, produced: Cast, children: Children) -> None:
        """At its death every charge has its audit line, and the last ones are not committed."""
        produced.start_mirror()
        server = produced.start_charge_server()
        charges = children.wait(lambda: server.printed(r"listening on (\S+)"), "the charge server listens")
        consumer = produced.start_consumer(charges, COMMIT_EVERY + 30)
        children.wait(lambda: consumer.ended_as_planned, "the consumer dies")
        lines = lists.read(produced.audit)
        assert [line["effect_id"] for line in lines] == [made["charge_id"] for made in made_charges(charges)]
        assert len(lines) == COMMIT_EVERY + 30
        dr = produced.configuration()["clusters"]["dr"]["bootstrap.servers"]
        assert committed(dr) == COMMIT_EVERY
