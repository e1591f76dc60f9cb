"""A TCP proxy in front of a whole cluster, to cut, refuse, slow and heal what one client sees of it.

Brokers tell clients their own addresses. The proxy puts its own port in the place of each broker's into all
that brokers send, so that a client that begins here stays here; others go to the brokers directly.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from support.gate import end, exactly

HOST = "127.0.0.1"
LENGTH = struct.Struct(">i")
CHUNK_BYTES = 4096


class Proxy:
    """Forwards to the brokers at `ports` of loopback from the beginning until `close`.

    bytes_per_second  limits what each connection receives, None: not at all
    delay_seconds     how long each answer is held back
    """

    def __init__(self, ports: list[int]) -> None:
        self.bytes_per_second: float | None = None
        self.delay_seconds = 0.0
        self.refused = 0
        self._refusing = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listeners = {port: socket.create_server((HOST, 0)) for port in ports}
        own = {port: one.getsockname()[1] for port, one in self._listeners.items()}
        self._renamed = renamed(own)
        self.bootstrap = ",".join(f"{HOST}:{port}" for port in own.values())
        for port, listener in self._listeners.items():
            self._begin(lambda listener=listener, port=port: self._accept(listener, port))

    def cut(self) -> None:
        """End all connections; new ones are taken."""
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            end(one)

    def refuse(self) -> None:
        """End all connections and each new one at once, until `heal`."""
        self._refusing = True
        self.cut()

    def slow(self, bytes_per_second: float | None = None, delay_seconds: float = 0.0) -> None:
        self.bytes_per_second, self.delay_seconds = bytes_per_second, delay_seconds

    def heal(self) -> None:
        """Forward everything at once again."""
        self._refusing = False
        self.slow()

    def close(self) -> None:
        self._closed.set()
        for listener in self._listeners.values():
            listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="proxy")
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive() or not one.ident]
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        listener.settimeout(0.1)
        while not self._closed.is_set():
            with suppress(OSError):
                client, _ = listener.accept()
                self._connect(client, port)

    def _connect(self, client: socket.socket, port: int) -> None:
        client.settimeout(None)
        if self._refusing:
            self.refused += 1
            client.close()
            return
        try:
            broker = socket.create_connection((HOST, port), timeout=5)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        for one in (client, broker):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, broker}
        if self._refusing or self._closed.is_set():
            self.cut()
        self._begin(lambda: self._pump(client, broker, pieces(client)))
        self._begin(lambda: self._pump(broker, client, self._answers(broker)))

    def _pump(self, receiving: socket.socket, sending: socket.socket, chunks: Iterator[bytes]) -> None:
        """Forward one direction; whichever direction ends ends both."""
        with suppress(OSError):
            for chunk in chunks:
                sending.sendall(chunk)
        for one in (receiving, sending):
            end(one)
        with self._lock:
            self._sockets -= {receiving, sending}

    def _answers(self, broker: socket.socket) -> Iterator[bytes]:
        """What the broker sends, whole answers with addresses changed, at the speed that is allowed."""
        while head := exactly(broker, LENGTH.size):
            answer = exactly(broker, LENGTH.unpack(head)[0])
            if not answer:
                return
            self._closed.wait(self.delay_seconds)
            yield from self._limited(head + self._rename(answer))

    def _limited(self, answer: bytes) -> Iterator[bytes]:
        for begin in range(0, len(answer), CHUNK_BYTES):
            chunk, rate = answer[begin : begin + CHUNK_BYTES], self.bytes_per_second
            if rate is not None:
                self._closed.wait(len(chunk) / rate)
            yield chunk

    def _rename(self, answer: bytes) -> bytes:
        for address, own in self._renamed.items():
            answer = answer.replace(address, own)
        return answer


def renamed(ports: Mapping[int, int]) -> dict[bytes, bytes]:
    """Addresses as brokers send them, a host's text and four bytes of port, by what takes their place."""
    host = HOST.encode()
    return {host + LENGTH.pack(port): host + LENGTH.pack(own) for port, own in ports.items()}


def pieces(client: socket.socket) -> Iterator[bytes]:
    """What a client sends, as it comes."""
    while chunk := client.recv(1 << 16):
        yield chunk


def ports_of(bootstrap: str) -> list[int]:
    """The ports in a list of brokers."""
    return [int(one.rpartition(":")[2]) for one in bootstrap.split(",")]
