from __future__ import annotations

import pytest

from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.offsets import EndOffsets


class TestEndOffsets:
    def test_every_partition_of_every_topic_is_answered(self, mock, settings):
        mock.create_topic("ends", 2)
        mock.create_topic("more", 1)
        mock.produce("ends", [(1, b"k", b"v")] * 4)
        ends = EndOffsets(settings)
        assert ends.of_topics(["ends", "more"]) == {("ends", 0): 0, ("ends", 1): 4, ("more", 0): 0}
        ends.close()

    def test_they_are_taken_at_the_call(self, mock, settings):
        mock.create_topic("grows", 1)
        ends = EndOffsets(settings)
        found = []
        for _ in range(3):
            mock.produce("grows", [(0, b"k", b"v")])
            found.append(ends.of_topics(["grows"])["grows", 0])
        assert found == [1, 2, 3]
        ends.close()

    def test_where_ids_are_unknown_a_topics_name_stands_in(self, mock, settings):
        mock.create_topic("named", 1)
        ends = EndOffsets(settings)
        assert ends.topic_ids(["named"]) == {"named": "named"}
        assert ends.cluster_id().startswith("mockCluster")
        ends.close()

    def test_brokers_that_are_away_are_told_in_time(self, nowhere):
        ends = EndOffsets(nowhere)
        with pytest.raises(BrokersUnreachableError):
            ends.of_topics(["t"])
        with pytest.raises(BrokersUnreachableError, match=r"^cluster 'gone': cluster id: timed_out$"):
            ends.cluster_id()
        ends.close()

    def test_one_that_never_asked_has_nothing_to_close(self, nowhere):
        EndOffsets(nowhere).close()
