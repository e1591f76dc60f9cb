from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest

from dupscope.model.errors import ConfigError
from dupscope.telemetry.metrics import RunState
from dupscope.telemetry.server import (
    HEAD_LIMIT_BYTES,
    MAX_CONNECTIONS,
    HeadTooLargeError,
    MetricsServer,
    read_head,
)

AT_ONCE_SECONDS = 2.0
"""Far below the server's timeouts, far above what a local request takes."""


@pytest.fixture
def server(scripted):
    server = MetricsServer(scripted, "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()


def address(server):
    url = urlsplit(server.url)
    return url.hostname, url.port


def get(server, path, method="GET", **headers):
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection(*address(server), timeout=10)
    with closing(connection):
        connection.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


@contextmanager
def silent_clients(server, number):
    """Connections that are accepted and say nothing."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(address(server), timeout=10))
        yield


class TestPaths:
    """Each path has one meaning, and any other is 404."""

    def test_metrics(self, server, scripted):
        """The exposition, as text by default."""
        status, headers, body = get(server, "/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert scripted.render()[0] == body

    def test_metrics_that_are_withheld(self, server, scripted):
        """No page at all rather than counters that fall; the process is healthy all the while."""
        scripted.are_withheld = True
        assert get(server, "/metrics")[::2] == (503, b"the stored counters are being read\n")
        assert get(server, "/-/healthy")[0] == 200
        scripted.publish(RunState(False, "reading", 0, 0))
        assert get(server, "/metrics")[0] == 200

    def test_openmetrics(self, server):
        """OpenMetrics when the scraper asks for it."""
        headers = get(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")[1]
        assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")

    def test_gzip(self, server, scripted):
        """Compressed when the scraper takes it."""
        _, headers, body = get(server, "/metrics", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert scripted.render()[0] == gzip.decompress(body)

    def test_healthy(self, server):
        """A process that answers is healthy, whatever Kafka does."""
        assert get(server, "/-/healthy")[::2] == (200, b"healthy\n")

    def test_ready(self, server, scripted):
        """Ready once the loop says so; before, with the reason."""
        assert get(server, "/-/ready")[::2] == (200, b"ready\n")
        scripted.publish(RunState(False, "1,240 records to go", 0, 0))
        assert get(server, "/-/ready")[::2] == (503, b"not ready: 1,240 records to go\n")
        assert get(server, "/-/healthy")[0] == 200

    def test_page(self, server):
        """The page forbids everything that it does not need."""
        status, headers, body = get(server, "/?from=bookmark")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert b"14 side effects too many" in body

    def test_head(self, server):
        """HEAD gives the headers of GET without the body."""
        status, headers, body = get(server, "/metrics", method="HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) > 1000

    @pytest.mark.parametrize("path", ["/metric", "/metrics/", "/-/", "/favicon.ico", "/%2e%2e/etc/passwd"])
    def test_not_found(self, server, path):
        """What is not served is 404 and no metrics."""
        assert get(server, path)[::2] == (404, b"404 Not Found\n")

    def test_other_methods(self, server):
        """Nothing can be sent to dupscope."""
        assert get(server, "/metrics", method="POST")[0] == 501

    def test_does_not_name_its_software(self, server):
        """The server header has no versions to look up."""
        assert get(server, "/-/healthy")[1]["Server"].strip() == "dupscope"


class TestClients:
    """No client can keep another one waiting."""

    @pytest.mark.parametrize("number", [50, MAX_CONNECTIONS + 50])
    def test_silent_connections(self, server, number):
        """A scrape is answered at once beside many silent clients, also beside more than have room."""
        with silent_clients(server, number):
            started = time.monotonic()
            assert get(server, "/metrics")[0] == 200
            assert time.monotonic() - started < AT_ONCE_SECONDS

    def test_oldest_silent_connection_makes_room(self, server):
        """Connections are bounded: the one that has waited longest is ended, long before its time is up."""
        with socket.create_connection(address(server), timeout=AT_ONCE_SECONDS) as oldest:
            get(server, "/-/healthy")
            with silent_clients(server, MAX_CONNECTIONS):
                assert oldest.recv(1) == b""

    def test_large_head(self, server):
        """A head over the limit is refused, not read on."""
        assert get(server, "/metrics", X_Large="x" * HEAD_LIMIT_BYTES)[0] == 431

    def test_client_that_leaves(self, server):
        """A client that hangs up in the middle of its request harms nobody."""
        with socket.create_connection(address(server)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        assert get(server, "/-/healthy")[0] == 200

    def test_garbage(self, server):
        """What is not HTTP gets an error, or nothing."""
        with socket.create_connection(address(server), timeout=10) as client:
            client.sendall(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
            assert b"400" in client.recv(4096)


class TestReadHead:
    """A request's head comes under one deadline and one limit."""

    @pytest.fixture
    def pair(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield ours, theirs

    def test_whole_head(self, pair):
        """Up to the empty line, however it is cut."""
        ours, theirs = pair
        theirs.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_head(ours, 5).startswith(b"GET / HTTP/1.1\r\n")

    def test_silence(self, pair):
        """A client that says nothing is given up."""
        with pytest.raises(TimeoutError):
            read_head(pair[0], 0.05)

    def test_dripping(self, pair):
        """Bytes that drip in do not move the deadline."""
        ours, theirs = pair
        ended = threading.Event()

        def drip():
            while not ended.wait(0.01):
                theirs.send(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                read_head(ours, 0.1)
        finally:
            ended.set()
            thread.join()

    def test_endless_head(self, pair):
        """Memory for a head is bounded."""
        ours, theirs = pair
        theirs.sendall(b"x" * (HEAD_LIMIT_BYTES + 1))
        with pytest.raises(HeadTooLargeError):
            read_head(ours, 5)

    def test_hang_up(self, pair):
        """A client that leaves first has no head."""
        ours, theirs = pair
        theirs.close()
        assert read_head(ours, 5) == b""


class TestLifecycle:
    """Starting and stopping is quick, and leaves nothing behind."""

    def test_stop_ends_connections(self, scripted):
        """Open connections do not hold a stop up, and no thread survives it."""
        server = MetricsServer(scripted, "127.0.0.1", 0)
        server.start()
        with silent_clients(server, 20):
            get(server, "/-/healthy")
            started = time.monotonic()
            server.stop()
            assert time.monotonic() - started < AT_ONCE_SECONDS
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("web")]

    def test_stop_twice(self, scripted):
        """Stopping again, or before a start, does nothing."""
        server = MetricsServer(scripted, "127.0.0.1", 0)
        server.stop()
        server.start()
        server.stop()
        server.stop()

    def test_address_in_use(self, server, scripted):
        """An address that cannot be had is an error of the configuration."""
        port = address(server)[1]
        with pytest.raises(ConfigError, match=f"web.listen: cannot listen on 127.0.0.1:{port}: .*in use"):
            MetricsServer(scripted, "127.0.0.1", port).start()

    def test_every_interface(self, scripted):
        """Without a host the URL is one that works on this machine."""
        server = MetricsServer(scripted, "", 0)
        server.start()
        try:
            assert server.url.startswith("http://127.0.0.1:")
            assert get(server, "/-/healthy")[0] == 200
        finally:
            server.stop()
