"""What the proxy in front of a cluster changes, cuts and refuses."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from support.gate import exactly
from support.proxy import Proxy, ports_of, renamed


@pytest.fixture
def broker() -> Iterator[socket.socket]:
    """Answers every four bytes by its own address, as a broker tells it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = b"127.0.0.1" + struct.pack(">i", listener.getsockname()[1])

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    while exactly(connection, 4):
                        connection.sendall(struct.pack(">i", len(address)) + address)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(broker: socket.socket) -> Iterator[Proxy]:
    with closing(Proxy([broker.getsockname()[1]])) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as client:
        yield client


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", ports_of(proxy.bootstrap)[0]), timeout=5)


def ask(client: socket.socket) -> bytes:
    """The answer without its length, nothing when the connection was cut."""
    with suppress(OSError):
        client.sendall(b"what")
        return exactly(client, 17)[4:]
    return b""


class TestProxy:
    def test_it_puts_its_own_port_in_the_place_of_the_brokers(self, proxy, client):
        assert ask(client) == b"127.0.0.1" + struct.pack(">i", ports_of(proxy.bootstrap)[0])

    def test_it_cuts_connections_and_takes_new_ones(self, proxy, client):
        assert ask(client)
        proxy.cut()
        assert ask(client) == b""
        with connect(proxy) as another:
            assert ask(another)

    def test_it_refuses_until_it_is_healed(self, proxy):
        proxy.refuse()
        with connect(proxy) as refused:
            assert ask(refused) == b""
        assert proxy.refused == 1
        proxy.heal()
        with connect(proxy) as taken:
            assert ask(taken)

    def test_it_slows_answers(self, proxy, client):
        proxy.slow(bytes_per_second=100, delay_seconds=0.1)
        began = time.monotonic()
        assert ask(client)
        assert time.monotonic() - began > 0.25


class TestRenamed:
    def test_only_the_port_differs(self):
        assert renamed({1: 2}) == {b"127.0.0.1\0\0\0\1": b"127.0.0.1\0\0\0\2"}
