from __future__ import annotations

import pytest

from dupscope.config.problems import Problems
from dupscope.config.topics import Upstream, mirrored, selected
from dupscope.config.tree import MirrorNode
from dupscope.config.values import PolicySpec
from dupscope.kafka.selection import TopicSelection
from dupscope.model.errors import ConfigError


def _selection(*topics):
    problems = Problems("f")
    found = selected(topics, "s", problems)
    problems.raise_if_any()
    return found


def _mirror(upstream, *topics, **mirror):
    """The topics of a mirror of a log, or of a mirror."""
    problems = Problems("f")
    node = MirrorNode(cluster="dr", topics=list(topics), **mirror)
    found = mirrored(node, Upstream("source", [upstream]), "m", problems)
    problems.raise_if_any()
    return found


def _mirrored(topic, upstream, **mirror):
    return _mirror(TopicSelection(dict(upstream)), topic, **mirror).names


class TestSelected:
    def test_topics_are_their_own_logical_topics_and_one_that_a_pattern_matches_too_counts_once(self):
        selection = _selection("payments", "^pay.*")

        assert selection.chosen(["payments", "payouts", "refunds"]) == {
            "payments": "payments",
            "payouts": "payouts",
        }

    def test_a_pattern_must_match_the_whole_name(self):
        assert _selection("^pay").chosen(["payments", "pay"]) == {"pay": "pay"}

    @pytest.mark.parametrize(
        ("topics", "what"),
        [
            (
                ["^pay("],
                "s[0]: '^pay(' is no regular expression: missing ), unterminated subpattern at position 4",
            ),
            (
                ["^a{99999999999}"],
                "s[0]: '^a{99999999999}' is no regular expression: the repetition number is",
            ),
            (
                ["^[[:alpha:]]"],
                "s[0]: '^[[:alpha:]]' is no regular expression: Possible nested set at position 2",
            ),
            (
                ["payments-.*"],
                "s[0]: 'payments-.*' is no topic's name; a pattern begins with '^': '^payments-.*'",
            ),
            (["a", "^a.*", "^a.*"], "s[2]: '^a.*' is given twice; keep one"),
        ],
        ids=["unfinished", "too much", "another dialect", "no pattern", "twice"],
    )
    def test_what_is_no_name_and_no_pattern_is_told(self, topics, what):
        with pytest.raises(ConfigError) as caught:
            _selection(*topics)

        assert str(caught.value).startswith(f"f: {what}")


class TestPatternsOfMirrors:
    TOPICS = (
        "payments-eu",
        "a.payments-eu",
        "b.a.payments-eu",
        "a.payments",
        "a.other",
        "a.checkpoints.internal",
    )

    def test_the_default_policy_is_undone_and_the_rest_must_belong_to_the_source(self):
        mirror = _mirror(_selection("^payments-.*", "payments"), "^a\\..*")

        assert mirror.chosen(self.TOPICS) == {"a.payments-eu": "payments-eu", "a.payments": "payments"}

    def test_every_split_is_tried_the_shortest_alias_first(self):
        mirror = _mirror(_selection("^(eu[.])?payments"), "^.*")

        assert mirror.chosen(["dc.eu.payments", "dc.one.payments", "payments"]) == {
            "dc.eu.payments": "eu.payments",
            "dc.one.payments": "payments",
        }

    def test_works_down_a_chain(self):
        first = _mirror(_selection("^payments.*"), "^a\\.pay.*")

        assert _mirror(first, "^b\\..*").chosen([*self.TOPICS, "b.x.payments"]) == {
            "b.a.payments-eu": "payments-eu"
        }

    def test_a_name_may_be_of_a_topic_that_a_pattern_upstream_matches(self):
        assert _mirror(_selection("^payments-.*"), "a.payments-eu").names == {"a.payments-eu": "payments-eu"}

    def test_identity_keeps_the_name(self):
        mirror = _mirror(_selection("^payments-.*"), "^.*", policy=PolicySpec("identity"))

        assert mirror.chosen(self.TOPICS) == {"payments-eu": "payments-eu"}

    def test_a_map_holds_for_patterns_too(self):
        policy = PolicySpec("map", {"copy-1": "payments-eu", "copy-2": "elsewhere"})
        mirror = _mirror(_selection("^payments-.*"), "^copy-.*", policy=policy)

        assert mirror.chosen(["copy-1", "copy-2", "copy-3"]) == {"copy-1": "payments-eu"}

    def test_the_separator_can_be_another(self):
        mirror = _mirror(_selection("^payments-.*"), "^.*", separator="__")

        assert mirror.chosen(["a__payments-eu", *self.TOPICS]) == {"a__payments-eu": "payments-eu"}


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
