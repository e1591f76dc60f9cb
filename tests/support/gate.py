"""A TCP proxy in front of a broker: slows what the broker sends, loses acknowledgements of records."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

CHUNK_BYTES = 4096
PRODUCE = 0
"""The API key of a Produce request."""

REQUEST_HEAD = struct.Struct(">ihhi")
"""Size of what follows the size, API key, API version, correlation id."""

RESPONSE_HEAD = struct.Struct(">ii")
"""Size of what follows the size, correlation id."""


class Gate:
    """Listens on `port` from the beginning; forwards to the broker from `open` until `close`.

    `bytes_per_second` limits what each connection receives from the broker, None: not at all.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.bytes_per_second: float | None = None
        self.swallowed = 0
        self._to_swallow = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def open(self, broker_port: int) -> None:
        self._begin(lambda: self._accept(broker_port))

    def swallow(self, acknowledgements: int) -> None:
        """Let so many further Produce responses get lost; each time the connection is cut."""
        with self._lock:
            self._to_swallow += acknowledgements

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            end(one)
        for thread in self._threads:
            thread.join()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"gate-{self.port}")
        self._threads.append(thread)
        thread.start()

    def _accept(self, broker_port: int) -> None:
        self._listener.settimeout(0.2)
        while not self._closed.is_set():
            with suppress(OSError):
                client, _ = self._listener.accept()
                self._connect(client, broker_port)

    def _connect(self, client: socket.socket, broker_port: int) -> None:
        client.settimeout(None)
        try:
            broker = socket.create_connection(("127.0.0.1", broker_port))
        except OSError:
            client.close()
            return
        for one in (client, broker):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, broker}
        produced: set[int] = set()
        self._begin(lambda: self._pump(client, broker, requests(client, produced), limited=False))
        self._begin(lambda: self._pump(broker, client, self._responses(broker, produced), limited=True))

    def _pump(
        self, receiving: socket.socket, sending: socket.socket, chunks: Iterator[bytes], *, limited: bool
    ) -> None:
        """Forward one direction; whichever direction ends ends both."""
        with suppress(OSError):
            for chunk in chunks:
                rate = self.bytes_per_second
                if limited and rate is not None:
                    self._closed.wait(len(chunk) / rate)
                sending.sendall(chunk)
        for one in (receiving, sending):
            end(one)
        with self._lock:
            self._sockets -= {receiving, sending}

    def _responses(self, broker: socket.socket, produced: set[int]) -> Iterator[bytes]:
        """What the broker sends, until an acknowledgement is to be lost."""
        while head := exactly(broker, RESPONSE_HEAD.size):
            size, correlation = RESPONSE_HEAD.unpack(head)
            if correlation in produced and self._swallows():
                return
            produced.discard(correlation)
            yield head
            yield from body(broker, size + 4 - RESPONSE_HEAD.size)

    def _swallows(self) -> bool:
        with self._lock:
            if not self._to_swallow:
                return False
            self._to_swallow -= 1
            self.swallowed += 1
            return True


def requests(client: socket.socket, produced: set[int]) -> Iterator[bytes]:
    """What a client sends; notes the correlation ids of its Produce requests."""
    while head := exactly(client, REQUEST_HEAD.size):
        size, api, _, correlation = REQUEST_HEAD.unpack(head)
        if api == PRODUCE:
            produced.add(correlation)
        yield head
        yield from body(client, size + 4 - REQUEST_HEAD.size)


def body(receiving: socket.socket, size: int) -> Iterator[bytes]:
    """The next `size` bytes in pieces; fewer when the connection ends."""
    while size and (chunk := receiving.recv(min(size, CHUNK_BYTES))):
        size -= len(chunk)
        yield chunk


def exactly(receiving: socket.socket, size: int) -> bytes:
    """The next `size` bytes, nothing when the connection ends before."""
    found = b"".join(body(receiving, size))
    return found if len(found) == size else b""


def end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
