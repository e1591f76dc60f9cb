"""`dupscope agent`: follows a pod's audit files and ships their lines."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog

from dupscope import __version__
from dupscope.app.logs import client_log, configure
from dupscope.audit.agent import Agent, AgentSettings
from dupscope.audit.agent_state import AgentState, DamagedStateError
from dupscope.config.agent import AgentConfig, load_agent
from dupscope.kafka.shipper import Shipper
from dupscope.model.errors import ConfigError
from dupscope.store.lock import WriterLock
from dupscope.telemetry.agent import AgentMetrics

SAY_AGAIN_SECONDS = 10.0


class Voice:
    """Counts all, and logs each kind of failure once in a while."""

    def __init__(self, metrics: AgentMetrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger()
        self._said: dict[str, float] = {}
        self._count: Counter[str] = Counter()
        self._is_well: bool | None = None
        self.shipped = metrics.shipped

    def failed(self, reason: str) -> None:
        """Count, and log if it was not logged a moment ago."""
        self._metrics.failed(reason)
        self._count[reason] += 1
        if time.monotonic() - self._said.get(reason, float("-inf")) >= SAY_AGAIN_SECONDS:
            self._said[reason] = time.monotonic()
            self._log.warning("agent_problem", reason=reason, count=self._count.pop(reason))

    def state(self, behind_bytes: int, *, is_well: bool) -> None:
        """Show it, and log when shipping stops or goes on."""
        self._metrics.state(behind_bytes, is_well=is_well)
        if is_well != self._is_well:
            self._is_well = is_well
            self._log.info("agent_ships" if is_well else "agent_waits", behind_bytes=behind_bytes)


def run_agent(file: Path, env: Mapping[str, str]) -> int:
    """Ship until SIGTERM or SIGINT. Raises ConfigError and StoreError."""
    config = load_agent(file, env)
    configure(config.log_level)
    lock = _locked(config.state_path)
    metrics = AgentMetrics(__version__, config.instance)
    _serve(metrics, config)
    state = AgentState(config.state_path)
    settings = AgentSettings(
        config.files, config.instance, config.max_line_bytes, shutdown_seconds=config.shutdown_seconds
    )
    made = partial(Shipper, config.cluster, config.topic, client_log())
    agent = Agent(settings, made, state, Voice(metrics))
    _resume(agent, state)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    agent.run()
    metrics.close()
    lock.release()
    structlog.get_logger().info("stopped")
    return 0


def _locked(folder: Path) -> WriterLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"state.path {folder}: cannot be made: {error.strerror}"]) from None
    return WriterLock(folder)


def _serve(metrics: AgentMetrics, config: AgentConfig) -> None:
    listen = config.listen
    try:
        port = metrics.serve(listen.host or "0.0.0.0", listen.port)  # noqa: S104 - as for `run`: scraped
    except OSError as error:
        raise ConfigError([f"web.listen: cannot listen on {listen}: {error.strerror}"]) from None
    structlog.get_logger().info("listening", port=port)


def _resume(agent: Agent, state: AgentState) -> None:
    try:
        agent.resume(state.load())
    except DamagedStateError as error:
        consequence = "all files are shipped from their beginnings; what came before is recognised"
        structlog.get_logger().error("agent_state_damaged", problem=str(error), consequence=consequence)
