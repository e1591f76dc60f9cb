from __future__ import annotations

import json

import pytest

from dupscope.audit.envelope import Envelope, Unwrapped
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import SHIPPERS, Shipping

LINE = '{"key": "p-1", "note": "ü \\" x"}'


class TestEnvelope:
    @pytest.mark.parametrize(("shipper", "name"), [("vector", "message"), ("fluent-bit", "log")])
    def test_the_usual_names(self, shipper, name):
        value = {name: LINE, "host": "pod-1", "file": "/log/audit.jsonl", "offset": 42, "timestamp": "x"}
        found = Envelope(SHIPPERS[shipper]).open(json.dumps(value).encode())
        assert found == Unwrapped(LINE.encode(), b"pod-1\0/log/audit.jsonl", 42)

    def test_names_may_lie_deep(self):
        shipping = Shipping("log.original", ("host.name", "log.file.path"), "log.offset")
        value = {"host": {"name": "h"}, "log": {"original": "x", "offset": 0, "file": {"path": "f"}}}
        assert Envelope(shipping).open(json.dumps(value).encode()) == Unwrapped(b"x", b"h\0f", 0)

    def test_a_line_that_was_parsed_is_taken_as_it_is(self):
        found = Envelope(Shipping("message")).open(b'{"message": {"key": 1}}')
        assert found == Unwrapped(b'{"key": 1}', b"", None)

    def test_without_a_path_the_value_is_the_line(self):
        value = b'{"key": 1, "_file": "f", "_at": 3}'
        assert Envelope(Shipping(None, ("_file",), "_at")).open(value) == Unwrapped(value, b"f", 3)

    def test_without_any_path_nothing_is_decoded(self):
        assert Envelope(Shipping()).open(b"no json") == Unwrapped(b"no json", b"", None)

    def test_what_it_does_not_tell_is_nothing(self):
        assert Envelope(SHIPPERS["vector"]).open(b'{"message": "x"}') == Unwrapped(b"x", b"None\0None", None)

    @pytest.mark.parametrize(
        "value",
        [b"", b"x", b"[]", b"{}", b'{"message": "\\ud800"}', b'{"message": "x", "offset": "y"}', b"\xff"],
    )
    def test_what_is_no_envelope_is_said(self, value):
        with pytest.raises(InvalidLineError) as caught:
            Envelope(SHIPPERS["vector"]).open(value)
        assert caught.value.reason is InvalidReason.BAD_SHIPMENT
