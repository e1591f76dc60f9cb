from __future__ import annotations

import pytest

from dupscope.kafka.client import ClientLogger, admin, configuration, consumer, refusals, silent
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ConfigError


class TestConfiguration:
    def test_nothing_is_committed_joined_or_silently_skipped(self):
        properties = configuration(ClusterSettings("a", {"bootstrap.servers": "a:1"}), {})
        assert properties == {
            "bootstrap.servers": "a:1",
            "client.id": "dupscope",
            "group.id": "dupscope",
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 65536,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
        }

    def test_the_users_value_goes_before_ours(self):
        settings = ClusterSettings("a", {"fetch.wait.max.ms": "500", "queued.min.messages": "7"})
        properties = configuration(settings, {"queued.min.messages": 3})
        assert properties["fetch.wait.max.ms"] == "500"
        assert properties["queued.min.messages"] == "7"


class TestConsumer:
    @pytest.mark.parametrize("make", [consumer, admin])
    def test_a_refused_property_is_named_and_its_value_is_not(self, make):
        settings = ClusterSettings("a", {"security.protocol": "ssl", "ssl.ca.location": "/canary/none.pem"})
        with pytest.raises(ConfigError) as caught:
            make(settings, ClientLogger(settings, silent))
        (problem,) = caught.value.problems
        assert problem.startswith("clusters.a: ")
        assert "ssl.ca.location" in problem
        assert "canary" not in problem


class TestRefusals:
    def test_an_unknown_property_is_named(self):
        settings = ClusterSettings("a", {"bootstrap.servers": "127.0.0.1:1", "fetch.mni.bytes": "1"})
        assert refusals(settings) == ['clusters.a: No such configuration property: "fetch.mni.bytes"']

    def test_a_wrong_value_is_not_repeated(self):
        settings = ClusterSettings("a", {"ssl.endpoint.identification.algorithm": "canary"})
        (problem,) = refusals(settings)
        assert "ssl.endpoint.identification.algorithm" in problem
        assert "canary" not in problem

    def test_nothing_is_said_against_what_can_be_used(self):
        assert refusals(ClusterSettings("a", {"bootstrap.servers": "127.0.0.1:1"})) == []


class TestClientLogger:
    def test_a_facility_is_heard_once_in_ten_seconds_with_the_number_suppressed(self, clock):
        heard = []
        settings = ClusterSettings("a", {"sasl.password": "canary"})
        logger = ClientLogger(settings, lambda *line: heard.append(line), clock)
        for text in ("one canary", "two", "three"):
            logger.log(40, "%s", "FAIL", "client-1", text)
        logger.log(40, "%s", "OTHER", "client-1", "else")
        clock.sleep(10)
        logger.log(40, "%s", "FAIL", "client-1", "four")
        assert heard == [
            ("a", "FAIL", "one ***", 0),
            ("a", "OTHER", "else", 0),
            ("a", "FAIL", "four", 2),
        ]

    def test_it_does_not_repeat_that_a_property_is_for_another_kind_of_client(self, clock):
        heard = []
        settings = ClusterSettings("a")
        ClientLogger(settings, lambda *line: heard.append(line), clock).log(1, "%s", "CONFWARN", "c", "x")
        assert heard == []
