"""`dupscope run`: wire everything, loop, take it apart again."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

from dupscope import __version__
from dupscope.app.clusters import Clusters
from dupscope.app.logs import client_log, configure
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.config.settings import Config
from dupscope.fingerprint.secret import load_or_create
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.model.errors import ConfigError
from dupscope.store.commit import Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics
from dupscope.telemetry.server import MetricsServer


def run(config: Config, *, until_caught_up: bool = False, ledger_file: Path | None = None) -> int:
    """Run the detector until a signal ends it, or until caught up. Returns the exit code."""
    configure(config.log.level)
    logger = structlog.get_logger()
    with ExitStack() as stack:
        secret = load_or_create(_prepared(config))
        clusters = Clusters(config.clusters, client_log(), int(time.time() * 1000))
        stack.callback(clusters.close)
        keep = ledger_file is not None
        pipelines = config.pipelines.values()
        watches = [PipelineWatch(config, each, secret, clusters, keep_lines=keep) for each in pipelines]
        for watch in watches:
            stack.callback(watch.close)
        metrics = Metrics([shape_of(watch.settings, replays=watch.replays) for watch in watches], __version__)
        server = MetricsServer(metrics, config.listen.host, config.listen.port)
        stack.callback(server.stop)
        lines = LedgerFile(ledger_file)
        stack.callback(lines.close)
        findings = FindingLog(logger, metrics, config.log.findings_per_second)
        replays = DeclaredReplays(config.file, config.replays)
        loop = Loop(watches, Store(), metrics, findings, replays)
        logger.info("starting", version=__version__, config=config.masked)
        stack.enter_context(_signals(loop))
        server.start()
        logger.info("listening", url=server.url)
        stack.enter_context(quiet_collector())
        loop.run(lines, until_caught_up=until_caught_up)
        lines.close()
        if lines.problem is not None:
            logger.error("ledger_file_incomplete", problem=lines.problem)
        logger.info("stopped")
    return 0 if lines.problem is None else 1


def _prepared(config: Config) -> Path:
    """Make the state folder. Returns the file of the fingerprint key."""
    try:
        config.state_path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{config.file}: state.path: cannot make {config.state_path}: {error.strerror}"
        raise ConfigError([problem]) from error
    return config.fingerprint_key


@contextmanager
def _signals(loop: Loop) -> Iterator[None]:
    """SIGTERM and SIGINT end the loop after the cycle under way."""

    def stop(_number: int, _frame: object) -> None:
        loop.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Keep the garbage collector from walking millions of live objects; batches hold no cycles."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
