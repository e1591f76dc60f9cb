from __future__ import annotations

import time

import pytest

from dupscope.app.clusters import AGAIN_SECONDS, ANSWER_SECONDS, Clusters
from dupscope.kafka.client import silent
from dupscope.kafka.errors import BrokersUnreachableError, TopicMissingError
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from support.mock import MockCluster


def clusters_of(*servers: str, clock=time.monotonic) -> Clusters:
    names = dict(zip("abc", servers, strict=False))
    settings = {name: ClusterSettings(name, {"bootstrap.servers": at}) for name, at in names.items()}
    return Clusters(settings, silent, 0, clock)


class TestClusters:
    def test_high_watermarks(self):
        """Ends are answered by partition, with those of partitions without a record."""
        with MockCluster() as mock:
            mock.create_topic("t", 2)
            mock.produce("t", [(1, b"k", b"v")])
            clusters = clusters_of(mock.bootstrap_servers)
            ends = clusters.high_watermarks("a", TopicSelection({"t": "t"}))
            assert ends.offsets == {("t", 0): 0, ("t", 1): 1}
            assert set(ends.ids) == {"t"}
            clusters.close()

    def test_no_question_takes_longer(self):
        """However patient the configured client is, the loop is not."""
        clusters = clusters_of("127.0.0.1:1")
        assert clusters.settings["a"].timeout_seconds == ANSWER_SECONDS

    def test_silence(self, manual_clock):
        """A silent cluster is left alone for a while, is then asked again, and holds up no other."""
        clusters = clusters_of("127.0.0.1:1", "127.0.0.1:1", clock=manual_clock)
        for _ in range(2):
            assert clusters.may_ask("a")
            with pytest.raises(BrokersUnreachableError), clusters.asking("a"):
                raise BrokersUnreachableError("gone")
            assert not clusters.may_ask("a")
            assert clusters.may_ask("b")
            manual_clock.now += AGAIN_SECONDS
        assert clusters.is_silent("a")
        assert not clusters.is_silent("b")
        with clusters.asking("a"):
            pass
        assert not clusters.is_silent("a")

    def test_silent_cluster_is_not_asked(self, manual_clock):
        """During the silence questions fail at once, without reaching for the network."""
        clusters = clusters_of("127.0.0.1:1", clock=manual_clock)
        with pytest.raises(BrokersUnreachableError), clusters.asking("a"):
            raise BrokersUnreachableError("gone")
        with pytest.raises(BrokersUnreachableError, match="cluster 'a': did not answer a moment ago"):
            clusters.high_watermarks("a", TopicSelection({"t": "t"}))
        assert clusters.committed("a", "g", [("t", 0)]) == {}

    def test_refusal_is_an_answer(self):
        """A cluster that says no is not silent."""
        clusters = clusters_of("127.0.0.1:1")
        with pytest.raises(TopicMissingError), clusters.asking("a"):
            raise TopicMissingError("no such topic")
        assert clusters.may_ask("a")
        assert not clusters.is_silent("a")

    def test_stop(self):
        """After a stop nothing is asked any more."""
        clusters = clusters_of("127.0.0.1:1")
        clusters.stop()
        assert not clusters.may_ask("a")
        assert not clusters.is_silent("a")
        assert clusters.committed("a", "g", [("t", 0)]) == {}
        with pytest.raises(BrokersUnreachableError):
            clusters.high_watermarks("a", TopicSelection({"t": "t"}))
