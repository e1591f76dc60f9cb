"""The HTTP server: metrics, probes and the status page, safe against clients that say nothing."""

from __future__ import annotations

import gzip
import io
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import structlog
from prometheus_client.exposition import gzip_accepted

from dupscope.model.errors import ConfigError
from dupscope.telemetry.metrics import Metrics
from dupscope.telemetry.page import render_page
from dupscope.telemetry.status import summarise

HEAD_LIMIT_BYTES = 16 * 1024
REQUEST_TIMEOUT_SECONDS = 5.0
"""For a whole request head to arrive, and for a whole response to be taken."""
MAX_CONNECTIONS = 256
STOP_TIMEOUT_SECONDS = 1.0
_POLL_SECONDS = 0.1

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Referrer-Policy": "no-referrer",
    "Refresh": "5",
}


class MetricsServer:
    """Serves one `Metrics` until stopped. An empty host means every interface, port 0 any free port."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._metrics, self._address = metrics, (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is, for a person on this machine. Only while started."""
        assert self._server is not None, "not started"
        host, port = self._server.socket.getsockname()[:2]
        host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Listen, then serve from a thread. ConfigError when the address cannot be had."""
        host, port = self._address
        try:
            self._server = _Server(_listen(host, port), self._metrics)
        except OSError as error:
            raise ConfigError([f"web.listen: cannot listen on {host}:{port}: {error}"]) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="web", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end all connections, within about a second. Again, it does nothing."""
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is not None and thread is not None:
            server.shutdown()
            thread.join(STOP_TIMEOUT_SECONDS)
            server.server_close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; for an empty host one that takes IPv4 and IPv6 where the machine has both."""
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, backlog=MAX_CONNECTIONS, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)


class _Connections:
    """Open connections, oldest first, at most `MAX_CONNECTIONS`: one too many ends the oldest that waits.

    So clients that connect and say nothing can never keep a scraper out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, threading.Thread] = {}
        self._answering: dict[socket.socket, threading.Thread] = {}

    def admit(self, connection: socket.socket, thread: threading.Thread) -> None:
        """Note a connection whose request has not arrived."""
        with self._lock:
            if len(self._waiting) + len(self._answering) >= MAX_CONNECTIONS:
                crowded = self._waiting or self._answering
                oldest = next(iter(crowded))
                del crowded[oldest]
                _hang_up(oldest)
            self._waiting[connection] = thread

    @contextmanager
    def answering(self, connection: socket.socket) -> Iterator[None]:
        """While inside, the connection has its request and is spared as long as others wait."""
        with self._lock:
            self._answering[connection] = self._waiting.pop(connection, threading.current_thread())
        yield

    def forget(self, connection: socket.socket) -> None:
        """Note that a connection is about to be closed."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._answering.pop(connection, None)

    def end(self, timeout_seconds: float) -> None:
        """End all connections and wait for their threads."""
        with self._lock:
            threads = [*self._waiting.values(), *self._answering.values()]
            for connection in (*self._waiting, *self._answering):
                _hang_up(connection)
        deadline = time.monotonic() + timeout_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _hang_up(connection: socket.socket) -> None:
    """Wake a thread that reads from or writes to a connection. It closes the connection itself."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.TCPServer):
    """Accepts in one thread and answers each connection in its own."""

    def __init__(self, listener: socket.socket, metrics: Metrics) -> None:
        super().__init__(listener.getsockname(), _Exchange, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.metrics = metrics
        self.connections = _Connections()

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        assert isinstance(request, socket.socket), "a stream socket gives connections"
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), name="web-connection", daemon=True
        )
        self.connections.admit(request, thread)
        thread.start()

    def _answer(self, request: socket.socket, client_address: object) -> None:
        try:
            with suppress(TimeoutError, ConnectionError):
                self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001  # a page that fails must not end the run
            structlog.get_logger().exception("page_failed")
        finally:
            self.connections.forget(request)
            self.shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        self.connections.end(STOP_TIMEOUT_SECONDS)


class HeadTooLargeError(Exception):
    """A request line and its headers take more than `HEAD_LIMIT_BYTES`."""


def read_head(connection: socket.socket, timeout_seconds: float) -> bytes:
    """A request's line and headers up to the empty line; b"" when the client leaves before it.

    TimeoutError when they are not complete after `timeout_seconds`, however slowly bytes drip in.
    """
    head, deadline = bytearray(), time.monotonic() + timeout_seconds
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        received = connection.recv(4096)
        if not received:
            return b""
        head += received
        if len(head) > HEAD_LIMIT_BYTES:
            raise HeadTooLargeError
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(head)


class _Exchange(BaseHTTPRequestHandler):
    """One request and its response; the connection ends with it."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "dupscope"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def handle(self) -> None:
        try:
            head = read_head(self.connection, REQUEST_TIMEOUT_SECONDS)
        except HeadTooLargeError:
            self._refuse_head()
            return
        self.connection.settimeout(REQUEST_TIMEOUT_SECONDS)
        self.rfile.close()
        self.rfile = io.BytesIO(head)
        with self.server.connections.answering(self.connection):
            self.handle_one_request()

    def _refuse_head(self) -> None:
        self.requestline, self.request_version, self.command = "", "HTTP/1.1", "GET"
        self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.recv(HEAD_LIMIT_BYTES)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        match path:
            case "/metrics":
                self._metrics()
            case "/-/healthy":
                self._send(HTTPStatus.OK, b"healthy\n")
            case "/-/ready":
                self._ready()
            case "/":
                self._page()
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _metrics(self) -> None:
        if self.server.metrics.are_withheld:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"the stored counters are being read\n")
            return
        body, content_type = self.server.metrics.render(self.headers.get("Accept", ""))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(self.headers.get("Accept-Encoding", "")):
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=3), "gzip"
        self._send(HTTPStatus.OK, body, headers)

    def _ready(self) -> None:
        state = self.server.metrics.published.state
        if state.ready:
            self._send(HTTPStatus.OK, b"ready\n")
        else:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {state.reason}\n".encode())

    def _page(self) -> None:
        metrics = self.server.metrics
        html = render_page(summarise(metrics.shapes, metrics.version, metrics.published))
        self._send(
            HTTPStatus.OK, html.encode(), {"Content-Type": "text/html; charset=utf-8", **_PAGE_HEADERS}
        )

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None) -> None:
        fields = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        }
        self.send_response(status)
        for name, value in {**fields, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are not logged: a scraper comes every few seconds, for ever."""
