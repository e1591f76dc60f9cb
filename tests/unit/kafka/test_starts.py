from __future__ import annotations

import pytest

from dupscope.kafka.client import ClientLogger, consumer, silent
from dupscope.kafka.errors import BrokersUnreachableError
from dupscope.kafka.starts import Beginning, OffsetQuery, Start, beginnings

KEY = ("t", 0)
NOW = 9_000


class Log:
    """Answers as the brokers would for one partition that holds offsets low to end - 1."""

    def __init__(self, low: int, end: int, found: int | None = None) -> None:
        self.low, self.end, self.found = low, end, found
        self.asked: list[str] = []

    def log_starts(self, partitions):
        self.asked.append("low")
        return dict.fromkeys(partitions, self.low)

    def ends(self, partitions):
        self.asked.append("end")
        return dict.fromkeys(partitions, self.end)

    def since(self, partitions, timestamp_ms):
        self.asked.append("since")
        return dict.fromkeys(partitions, self.found)


def begun(log: Log, start: Start) -> Beginning:
    return beginnings(log, start, [KEY], lambda: NOW)[KEY]


class TestStart:
    @pytest.mark.parametrize(("kind", "timestamp"), [("latest", 1), ("earliest", 1), ("timestamp", None)])
    def test_a_timestamp_goes_with_a_moment_only(self, kind, timestamp):
        with pytest.raises(ValueError, match=r"^a timestamp goes with the start 'timestamp', and no other$"):
            Start(kind, timestamp)


class TestBeginnings:
    @pytest.mark.parametrize(
        ("expected", "log", "start"),
        [
            (Beginning(0, None), Log(0, 9), Start("earliest")),
            (Beginning(0, None), Log(0, 0), Start("latest")),
            (Beginning(4, NOW, provisional=True), Log(4, 9), Start("earliest")),
            (Beginning(9, NOW), Log(9, 9), Start("earliest")),
            (Beginning(9, NOW), Log(4, 9), Start("latest")),
            (Beginning(9, NOW), Log(9, 9), Start("latest")),
            (Beginning(6, 500), Log(4, 9, 6), Start("timestamp", 500)),
            (Beginning(9, 500), Log(4, 9, None), Start("timestamp", 500)),
            (Beginning(4, NOW, provisional=True), Log(4, 9, 4), Start("timestamp", 500)),
            (Beginning(9, NOW), Log(9, 9, None), Start("timestamp", 500)),
            (Beginning(0, None), Log(0, 9, 0), Start("timestamp", 500)),
        ],
    )
    def test_they_say_where_reading_begins_and_since_when_it_covers(self, expected, log, start):
        assert begun(log, start) == expected

    def test_ends_are_taken_before_a_moment_is_resolved(self):
        log = Log(0, 9)
        begun(log, Start("timestamp", 500))
        assert log.asked.index("end") < log.asked.index("since")


class TestOffsetQuery:
    def test_edges_of_many_partitions(self, mock, settings):
        mock.create_topic("edges", 3)
        mock.produce("edges", [(0, b"k", b"v")] * 5 + [(1, b"k", b"v")])
        mock.delete_records("edges", 0, 2)
        client = consumer(settings, ClientLogger(settings, silent))
        query = OffsetQuery(client, settings)
        keys = [("edges", number) for number in range(3)]
        assert query.log_starts(keys) == {("edges", 0): 2, ("edges", 1): 0, ("edges", 2): 0}
        assert query.ends(keys) == {("edges", 0): 5, ("edges", 1): 1, ("edges", 2): 0}
        assert query.since(keys, 10**15) == dict.fromkeys(keys)
        client.close()

    def test_no_partition_needs_no_question(self, nowhere):
        client = consumer(nowhere, ClientLogger(nowhere, silent))
        assert OffsetQuery(client, nowhere).ends([]) == {}
        client.close()

    def test_nobody_answering_passes(self, nowhere):
        client = consumer(nowhere, ClientLogger(nowhere, silent))
        with pytest.raises(BrokersUnreachableError, match=r"^cluster 'gone': offsets: "):
            OffsetQuery(client, nowhere).ends([KEY])
        client.close()
