from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from dupscope.kafka.groups import GroupOffsets


class TestGroupOffsets:
    def test_only_partitions_with_a_commit_are_answered(self, mock, settings):
        mock.create_topic("worked", 2)
        worker = Consumer({"bootstrap.servers": mock.bootstrap_servers, "group.id": "charger"})
        worker.commit(offsets=[TopicPartition("worked", 1, 42)], asynchronous=False)
        worker.close()
        offsets = GroupOffsets(settings)
        assert offsets.committed("charger", [("worked", 0), ("worked", 1)]) == {("worked", 1): 42}
        assert offsets.committed("stranger", [("worked", 1)]) == {}

    def test_nothing_is_known_while_brokers_are_away_and_that_is_logged(self, nowhere):
        heard = []
        offsets = GroupOffsets(nowhere, lambda *line: heard.append(line))
        assert offsets.committed("charger", [("t", 0)]) == {}
        assert [line[1] for line in heard if line[1] == "GROUP"] == ["GROUP"]

    def test_no_partition_needs_no_question(self, nowhere):
        assert GroupOffsets(nowhere).committed("charger", []) == {}
