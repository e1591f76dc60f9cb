from __future__ import annotations

import re

from dupscope.kafka.selection import TopicSelection

ANY = (re.compile(r"pay.*"),)


class TestTopicSelection:
    def test_named_topics_belong_to_it_whether_they_exist_or_not(self):
        assert TopicSelection({"a": "x"}).chosen([]) == {"a": "x"}
        assert TopicSelection({"a": "x"}).chosen(["a", "b"]) == {"a": "x"}

    def test_a_pattern_finds_topics_by_their_whole_name(self):
        selection = TopicSelection(patterns=ANY, logical=str.upper)
        assert selection.chosen(["pay", "payments", "repay"]) == {"pay": "PAY", "payments": "PAYMENTS"}

    def test_a_topic_of_no_source_topic_is_left_out(self):
        selection = TopicSelection(patterns=ANY, logical={"pay": "p"}.get)
        assert selection.chosen(["pay", "payments"]) == {"pay": "p"}

    def test_kafkas_own_topics_match_nothing(self):
        assert TopicSelection(patterns=(re.compile(".*"),), logical=str).chosen(["__consumer_offsets"]) == {}

    def test_a_name_goes_before_a_pattern(self):
        selection = TopicSelection({"pay": "named"}, ANY, str)
        assert selection.chosen(["pay", "pay2"]) == {"pay": "named", "pay2": "pay2"}
