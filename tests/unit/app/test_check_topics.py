from __future__ import annotations

from dupscope.app.check_topics import TopicProbe, pace
from dupscope.kafka.sample import SampledRecord
from dupscope.kafka.settings import ClusterSettings


def _record(offset, timestamp, partition=0):
    return SampledRecord(partition, offset, timestamp, None, b"{}", [])


class TestPace:
    def test_is_offsets_by_time_over_all_partitions(self):
        records = [_record(0, 1_000), _record(10, 6_000), _record(5, 1_000, 1), _record(9, 3_000, 1)]

        assert pace(records) == 2 + 2

    def test_is_nothing_where_timestamps_say_nothing(self):
        assert pace([]) == 0
        assert pace([_record(0, 5_000), _record(10, 5_400)]) == 0
        assert pace([_record(0, 0), _record(10, 0)]) == 0


class TestTopicProbe:
    def test_growth_between_two_looks_is_the_rate(self):
        probe = TopicProbe(ClusterSettings("a", {}), "t", ends={0: 100, 1: 7}, asked_at=10.0)

        probe.measure({0: 160, 1: 7}, 12.0)

        assert probe.records_per_second == 30

    def test_without_growth_the_samples_own_pace_counts(self):
        records = [_record(0, 1_000), _record(10, 6_000)]
        probe = TopicProbe(ClusterSettings("a", {}), "t", ends={0: 11}, asked_at=10.0, records=records)

        probe.measure({0: 11}, 12.0)

        assert probe.records_per_second == 2

    def test_a_topic_is_empty_when_nothing_was_ever_written(self):
        assert TopicProbe(ClusterSettings("a", {}), "t", ends={0: 0, 1: 0}).empty
