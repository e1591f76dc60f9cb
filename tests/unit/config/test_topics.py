from __future__ import annotations

import pytest

from dupscope.config.problems import Problems
from dupscope.config.topics import mirrored
from dupscope.config.tree import MirrorNode
from dupscope.config.values import PolicySpec


def _mirrored(topic, upstream, **mirror):
    problems = Problems("f")
    found = mirrored(MirrorNode(cluster="dr", topics=[topic], **mirror), dict(upstream), "m", problems)
    problems.raise_if_any()
    return found


class TestMirrored:
    @pytest.mark.parametrize(
        ("topic", "upstream", "logical"),
        [
            ("a.payments", {"payments": "payments"}, "payments"),
            ("a.eu.payments", {"eu.payments": "eu.payments", "payments": "payments"}, "eu.payments"),
            ("dc.one.payments", {"payments": "payments"}, "payments"),
            ("b.a.payments", {"a.payments": "payments"}, "payments"),
        ],
        ids=["alias", "the shortest alias wins", "an alias with a dot", "a chain keeps the source's name"],
    )
    def test_the_default_policy_puts_an_alias_before_the_name(self, topic, upstream, logical):
        assert {topic: logical} == _mirrored(topic, upstream)

    def test_the_separator_can_be_another(self):
        assert _mirrored("a-payments", {"payments": "payments"}, separator="-") == {"a-payments": "payments"}

    def test_the_identity_policy_keeps_the_name(self):
        assert _mirrored("payments", {"payments": "payments"}, policy=PolicySpec("identity")) == {
            "payments": "payments"
        }

    def test_a_map_names_the_topic_of_the_log_that_is_copied(self):
        policy = PolicySpec("map", {"copy": "a.payments"})

        assert _mirrored("copy", {"a.payments": "payments"}, policy=policy) == {"copy": "payments"}

    def test_nothing_more_is_said_where_the_upstream_topics_are_wrong_already(self):
        assert _mirrored("anything", {}) == {}
