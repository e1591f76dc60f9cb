from __future__ import annotations

from collections import Counter

from confluent_kafka import Consumer, Message, TopicPartition

from dupscope.app.demo import lists
from dupscope.app.demo.cast import COPY, OFFSETS_EVERY, TOPIC, Cast, positions
from dupscope.app.demo.children import Children

WINDOW = 50


def first_record(servers: str, topic: str, partition: int) -> Message:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, partition, 0)])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    return message


class TestMirror:
    def test_killed_and_started_again(self, produced: Cast, children: Children) -> None:
        """It copies again exactly what it had copied since it stored its offsets; copies are equal."""
        mirror = produced.start_mirror(OFFSETS_EVERY + WINDOW)
        children.wait(lambda: mirror.ended_as_planned, "it dies")
        assert lists.count(produced.copied) == OFFSETS_EVERY + WINDOW
        produced.start_mirror()
        everything = lists.count(produced.sent)
        children.wait(lambda: positions(produced.copied) == everything, "everything is copied")
        copies = Counter((line["partition"], line["offset"]) for line in lists.read(produced.copied))
        assert sorted(Counter(copies.values()).items()) == [(1, everything - WINDOW), (2, WINDOW)]

        clusters = produced.configuration()["clusters"]
        original = first_record(clusters["primary"]["bootstrap.servers"], TOPIC, 2)
        copy = first_record(clusters["dr"]["bootstrap.servers"], COPY, 2)
        for of in (Message.key, Message.value, Message.timestamp, Message.headers):
            assert of(original) == of(copy)
