from __future__ import annotations

import json

import pytest

from dupscope.audit import wire
from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.settings import SHIPPERS, Shipping, TopicSource
from dupscope.audit.shipped import Shipped
from dupscope.kafka.raw import RawRecord
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings

NOW = 1_795_000_000_000
AFTER_MS = 600_000


def made(shipping: Shipping | None = None) -> Shipped:
    return Shipped(TopicSource(ClusterSettings("a", {}), TopicSelection({"t": "t"}), shipping=shipping))


def record(value: bytes | None, slot: int = 0, timestamp: int = NOW, **headers: bytes) -> RawRecord:
    pairs = [(name.replace("_", "-"), text) for name, text in headers.items()]
    return RawRecord(slot, 5, timestamp, b"k", value, pairs)


def shipped(value: bytes | None, end: int | str, file: bytes = b"f", **more: bytes) -> RawRecord:
    end_text = str(end).encode()
    return record(value, dupscope_agent=b"1", dupscope_file=file, dupscope_end=end_text, **more)


def status(instance: str, behind: int = 0, said: bytes = wire.ALIVE) -> RawRecord:
    value = json.dumps({"instance": instance, "at": 1, "behind_bytes": behind}).encode()
    return record(value, dupscope_agent=b"1", dupscope_status=said)


class Heard:
    """What became of records, one after the other."""

    def __init__(self, shipping: Shipping | None = None) -> None:
        self.shipped = made(shipping)
        self.invalid = Invalid()

    def __call__(self, *records: RawRecord) -> list[bytes | None]:
        return [self.shipped.line(each, NOW, self.invalid, f"at {each.slot}") for each in records]


class TestLines:
    def test_a_value_without_headers_is_a_line_however_often(self):
        heard = Heard()
        assert heard(record(b"x"), record(b"x"), record(b"y", traceparent=b"1")) == [b"x", b"x", b"y"]
        assert (heard.shipped.shipped, heard.shipped.repeats, heard.invalid.counts) == (0, 0, {})

    def test_nothing_is_no_line(self):
        heard = Heard()
        assert heard(record(None), record(b""), shipped(b"", 1)) == [None, None, None]
        assert heard.invalid.counts == {}

    def test_an_agents_line_counts_once(self):
        heard = Heard()
        first, second = shipped(b"x", 10), shipped(b"y", 20)
        assert heard(first, second, first, second, shipped(b"z", 30)) == [b"x", b"y", None, None, b"z"]
        assert (heard.shipped.shipped, heard.shipped.repeats) == (5, 2)

    def test_what_an_agent_could_not_ship_counts_once_by_its_reason(self):
        heard = Heard()
        too_long = shipped(None, 10, dupscope_invalid=b"oversize")
        assert heard(too_long, too_long, shipped(b"x", 20)) == [None, None, b"x"]
        assert heard.invalid.counts == {"oversize": 1}
        assert heard.invalid.places == {"oversize": "at 0"}

    def test_what_has_no_place_in_the_file_counts_each_time(self):
        heard = Heard()
        rotated = record(None, dupscope_agent=b"1", dupscope_file=b"f", dupscope_invalid=b"rotated")
        assert heard(rotated, rotated) == [None, None]
        assert heard.invalid.counts == {"rotated": 2}

    @pytest.mark.parametrize(
        "odd",
        [
            record(b"x", dupscope_agent=b"2", dupscope_file=b"f", dupscope_end=b"1"),
            record(b"x", dupscope_agent=b"1", dupscope_file=b"f"),
            record(b"x", dupscope_agent=b"1", dupscope_end=b"1"),
            shipped(b"x", "-1"),
            shipped(b"x", "1e3"),
            shipped(b"x", "9" * 30),
            shipped(None, 1, dupscope_invalid=b"unheard_of"),
            shipped(None, 1, dupscope_invalid=b"\xff"),
            record(b"{}", dupscope_agent=b"1", dupscope_status=b"alive"),
            record(None, dupscope_agent=b"1", dupscope_status=b"alive"),
        ],
    )
    def test_what_an_agent_would_not_write_is_counted(self, odd):
        heard = Heard()
        assert heard(odd) == [None]
        assert heard.invalid.counts == {InvalidReason.BAD_SHIPMENT: 1}


class TestOtherShippers:
    def value(self, line: str, offset: int | None, file: str = "f") -> RawRecord:
        fields = {"message": line, "host": "h", "file": file, "offset": offset}
        return record(json.dumps(fields).encode())

    def test_a_line_counts_once_for_each_place(self):
        heard = Heard(SHIPPERS["vector"])
        one, two, other = self.value("x", 0), self.value("y", 2), self.value("x", 0, "g")
        assert heard(one, two, one, two, other) == [b"x", b"y", None, None, b"x"]
        assert (heard.shipped.shipped, heard.shipped.repeats) == (5, 2)

    def test_without_an_offset_each_counts(self):
        heard = Heard(SHIPPERS["vector"])
        assert heard(self.value("x", None), self.value("x", None)) == [b"x", b"x"]

    def test_an_agent_may_ship_beside_them(self):
        heard = Heard(SHIPPERS["vector"])
        assert heard(shipped(b"x", 10), shipped(b"x", 10), self.value("y", 0)) == [b"x", None, b"y"]

    def test_what_is_no_envelope_is_counted(self):
        heard = Heard(SHIPPERS["vector"])
        assert heard(record(b"x")) == [None]
        assert heard.invalid.counts == {InvalidReason.BAD_SHIPMENT: 1}


class TestState:
    def test_all_of_it_survives_a_restart(self):
        heard = Heard(SHIPPERS["vector"])
        lines = [shipped(b"x", 10), record(b'{"message": "m", "offset": 1}')]
        heard(*lines, status("gone"))
        assert heard.shipped.lost(NOW) == 0
        again = Heard(SHIPPERS["vector"])
        again.shipped.resume(heard.shipped.saved())
        assert again(*lines) == [None, None]
        for moment in range(NOW, NOW + AFTER_MS + 1, 60_000):
            assert again.shipped.lost(moment) == 0
        assert again.shipped.lost(NOW + AFTER_MS + 1) == 1

    def test_an_agent_that_stopped_is_not_missed(self):
        heard = Heard()
        assert heard(status("a"), status("a", said=wire.STOPPED)) == [None, None]
        for moment in range(NOW, NOW + 2 * AFTER_MS, 60_000):
            assert heard.shipped.lost(moment) == 0

    def test_a_timestamp_of_the_far_future_makes_nothing_forgotten(self):
        heard = Heard()
        heard(shipped(b"x", 10))
        heard.shipped.forget(NOW * 2, NOW)
        assert heard(shipped(b"x", 10)) == [None]
