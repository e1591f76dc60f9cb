"""The demo's charge server: takes money for each request and keeps its own list. It sees no duplicates.

`POST /charges` with payment_id, amount (cents) and reference (the record's position) charges; `GET /charges`
is the list, as JSON lines in the order of charging.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_SECONDS = 10.0
PATH = "/charges"


class Charges:
    """Every charge that was made, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._list: list[dict[str, Any]] = []

    def charge(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Charge once more, whatever was charged before."""
        with self._lock:
            made = {"charge_id": f"ch_{len(self._list) + 1:05}", **asked}
            self._list.append(made)
        return made

    def lines(self) -> bytes:
        """The list as JSON lines."""
        with self._lock:
            return b"".join(json.dumps(made).encode() + b"\n" for made in self._list)


class ChargeServer(ThreadingHTTPServer):
    """Serves one list of charges on a free loopback port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.charges = Charges()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"


class _Exchange(BaseHTTPRequestHandler):
    """Requests of one connection."""

    server: ChargeServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, else each charge waits for a delayed acknowledgement

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(json.dumps(self.server.charges.charge(asked)).encode())

    def do_GET(self) -> None:
        self._answer(self.server.charges.lines())

    def log_message(self, *_: object) -> None:
        """Thousands of requests, all alike: no line for each."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ChargeClient:
    """Charges over one connection that stays open."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address, timeout=TIMEOUT_SECONDS)

    def charge(self, payment_id: str, amount: int, reference: str) -> str:
        """Charge `amount` cents and return the charge's id."""
        asked = {"payment_id": payment_id, "amount": amount, "reference": reference}
        self._connection.request("POST", PATH, json.dumps(asked).encode())
        return str(json.loads(self._connection.getresponse().read())["charge_id"])

    def close(self) -> None:
        """Give up the connection."""
        self._connection.close()


def made_charges(address: str) -> list[dict[str, Any]]:
    """The server's own list."""
    with urllib.request.urlopen(f"http://{address}{PATH}", timeout=TIMEOUT_SECONDS) as answer:
        return [json.loads(line) for line in answer]


def main() -> None:
    """Say where it listens, then serve until a signal ends it."""
    server = ChargeServer()
    print(f"listening on {server.address}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
