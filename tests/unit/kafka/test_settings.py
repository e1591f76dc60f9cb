from __future__ import annotations

import pytest

from dupscope.kafka.settings import DEFAULTS, DENIED, ENFORCED, ClusterSettings, denied
from dupscope.model.errors import ConfigError

SECRETS = {
    "bootstrap.servers": "a:9092",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "canary-user",
    "sasl.password": "canary-password",
    "ssl.key.pem": "canary-pem",
}


class TestClusterSettings:
    def test_it_never_shows_a_secret(self):
        settings = ClusterSettings("primary", SECRETS)
        assert repr(settings) == (
            "ClusterSettings('primary': bootstrap.servers=a:9092, sasl.mechanism=PLAIN, "
            "sasl.username=***, sasl.password=***, ssl.key.pem=***)"
        )
        assert "canary" not in f"{settings} {settings!r} {settings.masked()}"

    def test_it_takes_secrets_out_of_what_others_say(self):
        text = 'Invalid value "canary-password" at a:9092 for canary-user'
        assert ClusterSettings("a", SECRETS).redact(text) == 'Invalid value "***" at a:9092 for ***'

    def test_of_two_secrets_the_longer_one_goes_first(self):
        settings = ClusterSettings("a", {"sasl.username": "abcd", "sasl.password": "abcdefgh"})
        assert settings.redact("abcdefgh") == "***"

    def test_a_value_too_short_to_be_a_secret_stays(self):
        assert ClusterSettings("a", {"retries": "1"}).redact("1 broker down") == "1 broker down"

    def test_all_denied_properties_are_told_at_once_with_the_reason(self):
        with pytest.raises(ConfigError) as caught:
            ClusterSettings("dr", {"debug": "all", "enable.auto.commit": "true", "client.rack": "r1"})
        assert caught.value.problems == [
            "clusters.dr.debug: it writes requests, and with them record keys, into the log",
            f"clusters.dr.enable.auto.commit: {DENIED['enable.auto.commit']}",
        ]


class TestDenied:
    def test_it_names_the_denied_ones_only(self):
        assert denied({"isolation.level": "read_uncommitted", "fetch.min.bytes": "1"}) == {
            "isolation.level": "dupscope counts committed records only"
        }

    def test_whatever_is_enforced_is_denied(self):
        assert set(ENFORCED) <= set(DENIED)

    def test_no_default_is_denied(self):
        assert not set(DEFAULTS) & set(DENIED)
