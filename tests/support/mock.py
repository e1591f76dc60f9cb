"""A cluster of librdkafka's mock brokers in this process: real sockets and protocol, no Java.

Made by ctypes on the client's own library, since Python has no binding for partition counts and faults.
What it cannot do: transactions' isolation, offsets by time, DescribeTopics, DescribeConfigs.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import confluent_kafka
from confluent_kafka import Producer

_PRODUCER = 0


def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    (path,) = (package.parent / "confluent_kafka.libs").glob("librdkafka*.so*")
    library = ctypes.CDLL(str(path))
    pointer, text, i32, i64 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int64
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (ctypes.c_int, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (ctypes.c_int, [pointer, text, ctypes.c_int, ctypes.c_int]),
        "rd_kafka_mock_broker_set_down": (ctypes.c_int, [pointer, i32]),
        "rd_kafka_mock_broker_set_up": (ctypes.c_int, [pointer, i32]),
        "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [pointer, i32, ctypes.c_int]),
        "rd_kafka_mock_partition_set_leader": (ctypes.c_int, [pointer, text, i32, i32]),
        "rd_kafka_mock_partition_delete_records": (ctypes.c_int, [pointer, text, i32, i64]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, i32]),
        "rd_kafka_mock_start_request_tracking": (None, [pointer]),
        "rd_kafka_mock_get_requests": (ctypes.POINTER(pointer), [pointer, ctypes.POINTER(ctypes.c_size_t)]),
        "rd_kafka_mock_request_api_key": (ctypes.c_int16, [pointer]),
        "rd_kafka_mock_request_destroy_array": (None, [ctypes.POINTER(pointer), ctypes.c_size_t]),
        "rd_kafka_mock_clear_request_errors": (None, [pointer, ctypes.c_int16]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """Use as a context manager; the data die with it."""

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        self._brokers = brokers
        message = ctypes.create_string_buffer(256)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", message, len(message))
        self._client = self._library.rd_kafka_new(_PRODUCER, configuration, message, len(message))
        assert self._client, message.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    @property
    def bootstrap_servers(self) -> str:
        return self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = None

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        code = self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        assert code == 0, code

    def produce(self, topic: str, records: Iterable[tuple], **properties: object) -> None:
        """Append records (partition, key, value[, timestamp ms[, headers]])."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "linger.ms": 1, **properties})
        for count, (partition, key, value, *rest) in enumerate(records, 1):
            timestamp, headers = itertools.islice(itertools.chain(rest, (None, None)), 2)
            extra = {"timestamp": timestamp} if timestamp is not None else {}
            producer.produce(topic, value, key, partition, headers=headers, **extra)
            if count % 10_000 == 0:
                producer.flush()
        assert producer.flush(30) == 0

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Move the log start up to offset `before`."""
        code = self._library.rd_kafka_mock_partition_delete_records(
            self._cluster, topic.encode(), partition, before
        )
        assert code == 0, code

    def fail(self, kind: int, *codes: int) -> None:
        """Answer the next requests of a kind (by Kafka's number of it) with these error codes."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, kind, len(codes), array)

    def heal(self, kind: int) -> None:
        """Take back what `fail` has left for one kind of request."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, kind)

    def track_requests(self) -> None:
        """Remember from now on what is asked."""
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)

    def requests(self) -> set[int]:
        """Kafka's numbers of the kinds of requests that came since tracking began."""
        count = ctypes.c_size_t()
        found = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        kinds = {self._library.rd_kafka_mock_request_api_key(found[at]) for at in range(count.value)}
        self._library.rd_kafka_mock_request_destroy_array(found, count)
        return kinds

    def stop(self) -> None:
        """Cut all connections and refuse new ones; the data stay."""
        for broker in range(1, self._brokers + 1):
            self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def resume(self) -> None:
        for broker in range(1, self._brokers + 1):
            self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Let another broker lead a partition. Clients learn of it when the old leader turns them away."""
        code = self._library.rd_kafka_mock_partition_set_leader(
            self._cluster, topic.encode(), partition, broker
        )
        assert code == 0, code

    def set_round_trip(self, milliseconds: int) -> None:
        """How long every broker takes for each answer."""
        for broker in range(1, self._brokers + 1):
            self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds)
