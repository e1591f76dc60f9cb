from __future__ import annotations

import pytest

from dupscope.kafka.errors import TopicMissingError
from dupscope.kafka.sample import SampledRecord, fair_shares, sample


class TestSample:
    def test_the_newest_of_every_partition_are_taken(self, mock, settings):
        mock.create_topic("sampled", 2)
        mock.produce("sampled", [(i % 2, b"k%d" % i, b"v", 1000 + i) for i in range(40)])
        records = sample(settings, "sampled", 10, 10)
        assert sorted((each.partition, each.offset) for each in records) == [
            (partition, offset) for partition in range(2) for offset in range(15, 20)
        ]

    def test_a_record_is_given_in_full(self, mock, settings):
        mock.create_topic("full", 1)
        mock.produce("full", [(0, b"k", None, 1234, [("h", b"x"), ("h", None)])])
        assert sample(settings, "full", 10, 10) == [
            SampledRecord(0, 0, 1234, b"k", None, [("h", b"x"), ("h", None)])
        ]

    def test_an_empty_topic_gives_nothing_at_once(self, mock, settings):
        mock.create_topic("empty", 2)
        assert sample(settings, "empty", 10, 30) == []

    def test_an_absent_topic_is_an_error(self, settings):
        with pytest.raises(TopicMissingError):
            sample(settings, "absent", 10, 1)


class TestFairShares:
    @pytest.mark.parametrize(
        ("expected", "available", "limit"),
        [
            ([5, 5], [100, 100], 10),
            ([2, 8], [2, 100], 10),
            ([1, 2], [1, 2], 10),
            ([0, 10], [0, 100], 10),
            ([0, 0, 1], [5, 5, 5], 1),
        ],
    )
    def test_they_are_as_even_as_the_partitions_allow(self, expected, available, limit):
        keys = [("t", number) for number in range(len(available))]
        shares = fair_shares(dict(zip(keys, available, strict=True)), limit)
        assert [shares[key] for key in keys] == expected
