"""What the gate in front of a broker loses, and what it lets through."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from support.gate import Gate, exactly

PRODUCE, METADATA = 0, 3


@pytest.fixture
def broker() -> Iterator[socket.socket]:
    """Answers every request by its correlation id and the word `done`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def answer(connection: socket.socket) -> None:
    while head := exactly(connection, 12):
        size, _, _, correlation = struct.unpack(">ihhi", head)
        exactly(connection, size - 8)
        connection.sendall(struct.pack(">ii", 8, correlation) + b"done")


@pytest.fixture
def gate(broker: socket.socket) -> Iterator[Gate]:
    gate = Gate()
    gate.open(broker.getsockname()[1])
    yield gate
    gate.close()


def ask(gate: Gate, api: int) -> bytes:
    """The whole answer to one request on a connection of its own, nothing when it was cut."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as one:
        one.sendall(struct.pack(">ihhi", 12, api, 9, 77) + b"body")
        return exactly(one, 12)


class TestGate:
    def test_it_lets_requests_and_answers_through(self, gate):
        assert ask(gate, METADATA) == ask(gate, PRODUCE) == struct.pack(">ii", 8, 77) + b"done"

    def test_it_loses_the_acknowledgement_of_a_produce_request_and_cuts_the_connection(self, gate):
        gate.swallow(1)
        assert ask(gate, PRODUCE) == b""
        assert gate.swallowed == 1
        assert ask(gate, PRODUCE) != b""

    def test_it_loses_no_other_answer(self, gate):
        gate.swallow(1)
        assert ask(gate, METADATA) != b""
        assert gate.swallowed == 0

    def test_it_slows_what_the_broker_sends(self, gate):
        gate.bytes_per_second = 60
        began = time.monotonic()
        assert len(ask(gate, METADATA)) == 12
        assert time.monotonic() - began > 0.19
