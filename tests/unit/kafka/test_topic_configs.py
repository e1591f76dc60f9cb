from __future__ import annotations

import pytest

from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.topic_configs import TopicConfigs


class TestTopicConfigs:
    def test_all_topics_of_the_cluster_are_found(self, mock, settings):
        mock.create_topic("found-1")
        mock.create_topic("found-2")

        assert {"found-1", "found-2"} <= set(TopicConfigs(settings).names())

    def test_a_cluster_without_a_controller_is_not_asked_for_configurations(self, mock, settings):
        mock.create_topic("asked")

        assert TopicConfigs(settings).timestamp_types(["asked"]) == {}

    def test_nobody_answering_passes(self, nowhere):
        with pytest.raises(BrokersUnreachableError, match=r"^cluster 'gone': topics: "):
            TopicConfigs(nowhere).names()
