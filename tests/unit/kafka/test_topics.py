from __future__ import annotations

import pytest

from dupscope.kafka.client import ClientLogger, consumer, silent
from dupscope.kafka.errors import BrokersUnreachableError, RetryableClusterError, TopicMissingError
from dupscope.kafka.topics import ClusterView, Incarnation, TopicFacts, view


class TestView:
    def test_it_numbers_the_partitions_of_the_topics_asked_for(self, mock, settings):
        mock.create_topic("wide", 3)
        mock.create_topic("other", 1)
        client = consumer(settings, ClientLogger(settings, silent))
        seen = view(client, settings, ["wide"])
        client.close()
        assert seen.partitions == {"wide": [0, 1, 2]}
        assert seen.cluster_id.startswith("mockCluster")
        assert not seen.answers_admin

    def test_an_absent_topic_is_named(self, settings):
        client = consumer(settings, ClientLogger(settings, silent))
        with pytest.raises(TopicMissingError, match=r"^cluster 'a': topic 'absent': unknown_topic_or_part$"):
            view(client, settings, ["absent"])
        client.close()

    def test_nobody_answering_passes(self, nowhere):
        client = consumer(nowhere, ClientLogger(nowhere, silent))
        with pytest.raises(BrokersUnreachableError, match=r"^cluster 'gone': topic 't': "):
            view(client, nowhere, ["t"])
        client.close()


class TestTopicFacts:
    def test_a_cluster_without_a_controller_is_not_asked(self, settings):
        facts = TopicFacts(settings, ClientLogger(settings, silent))
        seen = ClusterView("c", {"t": [0]}, answers_admin=False)
        assert facts.incarnations(seen) == {"t": Incarnation("t", [0])}
        assert facts.compacted(["t"], answers_admin=False) == {}

    def test_where_ids_were_told_no_name_stands_for_one(self, settings):
        facts = TopicFacts(settings, ClientLogger(settings, silent))
        assert facts._id("t", "None") == "t"
        assert facts._id("t", "an id") == "an id"
        with pytest.raises(RetryableClusterError, match=r"^cluster 'a': topic 't': no id$"):
            facts._id("t", "None")
        with pytest.raises(BrokersUnreachableError, match=r"^cluster 'a': no controller$"):
            facts.incarnations(ClusterView("c", {"t": [0]}, answers_admin=False))

    def test_no_answer_about_ids_is_an_error_and_never_another_id(self, nowhere):
        facts = TopicFacts(nowhere, ClientLogger(nowhere, silent))
        with pytest.raises(BrokersUnreachableError):
            facts.incarnations(ClusterView("c", {"t": [0]}, answers_admin=True))

    def test_no_answer_about_configurations_counts_as_not_compacted_and_is_logged(self, nowhere):
        heard = []
        facts = TopicFacts(nowhere, ClientLogger(nowhere, lambda *line: heard.append(line)))
        assert facts.compacted(["t"], answers_admin=True) == {}
        assert [line[:2] for line in heard if line[1] == "CONFIGS"] == [("gone", "CONFIGS")]
