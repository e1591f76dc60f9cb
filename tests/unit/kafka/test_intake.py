from __future__ import annotations

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, Message

from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.columns import Decoder
from dupscope.kafka.intake import BLOCK_RECORDS, Intake
from dupscope.model.position import Partition


def record(offset: int) -> Message:
    return Message(
        topic="t",
        partition=0,
        offset=offset,
        key=b"k%d" % offset,
        value=b"",
        headers=[("id", b"%d" % offset)],
        timestamp=(TIMESTAMP_CREATE_TIME, 1 + offset),
    )


def intake(spec: KeySpec) -> Intake:
    fingerprinter = Fingerprinter(bytes(16), "p", spec)
    decoder = Decoder(0, fingerprinter)
    decoder.assign(Partition(0, "c", "t", "t", "t", 0), 0)
    return Intake(decoder)


class TestIntake:
    def test_nothing_taken_makes_no_columns(self):
        assert intake(KeySpec("kafka_key")).columns() is None

    def test_events_are_kept_apart(self):
        made = intake(KeySpec("kafka_key"))
        end = Message(topic="t", error=KafkaError(KafkaError._PARTITION_EOF), timestamp=(0, 0))
        made.take([end])
        assert made.events == [end]
        assert made.columns() is None

    @pytest.mark.parametrize("portion", [1, 999, 3000])
    @pytest.mark.parametrize("spec", [KeySpec("kafka_key"), KeySpec("header", ("id",))], ids=str)
    def test_portions_of_any_size_make_the_same_columns(self, portion: int, spec: KeySpec):
        messages = [record(offset) for offset in range(BLOCK_RECORDS + 10)]
        whole, parts = intake(spec), intake(spec)
        whole.take(messages)
        for at in range(0, len(messages), portion):
            parts.take(messages[at : at + portion])
        expected, columns = whole.columns(), parts.columns()
        assert columns.offsets.tolist() == list(range(len(messages)))
        for name in ("position", "timestamp", "fp_hi", "fp_lo", "content"):
            assert getattr(columns.batch, name).tolist() == getattr(expected.batch, name).tolist()
        assert columns.records == {"t": len(messages)}
        assert len(set(columns.batch.fp_hi.tolist())) == len(messages)
