"""The metrics of an agent, and their address."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class AgentMetrics:
    """Counters of one agent since it was started."""

    def __init__(self, version: str, instance: str) -> None:
        own = self._registry = CollectorRegistry(auto_describe=True)
        prefix = "dupscope_agent"
        self._lines = Counter(f"{prefix}_lines_total", "Lines that the brokers acknowledged.", registry=own)
        text = "What could not be done at once, by reason."
        self._errors = Counter(f"{prefix}_errors_total", text, ["reason"], registry=own)
        text = "Bytes of whole lines that are not acknowledged."
        self._behind = Gauge(f"{prefix}_behind_bytes", text, registry=own)
        text = "When a line was acknowledged last."
        self._last = Gauge(f"{prefix}_last_acknowledged_timestamp_seconds", text, registry=own)
        self._up = Gauge(f"{prefix}_up", "1 while lines are shipped without failures.", registry=own)
        info = Gauge(f"{prefix}_info", "Always 1.", ["version", "instance"], registry=own)
        info.labels(version, instance).set(1)

    def serve(self, host: str, port: int) -> int:
        """Serve `/metrics` from a thread of its own. Gives the port. Raises OSError."""
        self._server, self._thread = start_http_server(port, host, self._registry)
        return int(self._server.server_port)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def shipped(self, lines: int) -> None:
        """Count lines."""
        self._lines.inc(lines)
        self._last.set(time.time())

    def failed(self, reason: str) -> None:
        """Count an error."""
        self._errors.labels(reason).inc()

    def state(self, behind_bytes: int, *, is_well: bool) -> None:
        """Set what is true now."""
        self._behind.set(behind_bytes)
        self._up.set(is_well)
