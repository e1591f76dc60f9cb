"""`dupscope run`: wire everything, loop, take it apart again."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import structlog

from dupscope import __version__
from dupscope.app.clusters import Clusters
from dupscope.app.commits import Commits
from dupscope.app.limits import shares
from dupscope.app.logs import client_log, configure
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.restore import Restorer
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.config.settings import Config
from dupscope.fingerprint.secret import keep, load_or_create
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.model.errors import ConfigError
from dupscope.store.commit import Step, no_step
from dupscope.store.store import Store
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics
from dupscope.telemetry.server import MetricsServer


def run(
    config: Config,
    *,
    until_caught_up: bool = False,
    ledger_file: Path | None = None,
    step: Step = no_step,
) -> int:
    """Run the detector until a signal ends it, or until caught up. Returns the exit code.

    `step` hears of each of `STEPS`. Raises StoreError where the state folder belongs to somebody else.
    """
    configure(config.log.level)
    logger = structlog.get_logger()
    with ExitStack() as stack:
        folder = _prepared(config)
        share = shares(config)
        store = Store(folder, step, share.journal_bytes, share.findings)
        stack.callback(store.close)
        secret = load_or_create(config.fingerprint_key)
        store.when_begun_anew = lambda: keep(config.fingerprint_key, secret)
        clusters = Clusters(config.clusters, client_log(), int(time.time() * 1000))
        stack.callback(clusters.close)
        shapes = [
            shape_of(each, replays=config.replays.get(name, ())) for name, each in config.pipelines.items()
        ]
        metrics = Metrics(shapes, __version__)
        metrics.are_withheld = True
        server = MetricsServer(metrics, config.listen.host, config.listen.port)
        stack.callback(server.stop)
        lines = LedgerFile(ledger_file)
        stack.callback(lines.close)
        findings = FindingLog(logger, metrics, config.log.findings_per_second)
        logger.info("starting", version=__version__, config=config.masked)
        stop = StopSignal()
        stack.enter_context(stop)
        server.start()
        logger.info("listening", url=server.url)
        stack.enter_context(quiet_collector())
        restorer = Restorer(store, metrics, step, lambda: stop.is_set)
        keep_lines = ledger_file is not None
        restored = restorer.restore(
            lambda: [
                PipelineWatch(config, each, secret, clusters, keep_lines=keep_lines)
                for each in config.pipelines.values()
            ]
        )
        for watch in restored.watches:
            stack.callback(watch.close)
        commits = Commits(store, restored, metrics, findings, step)
        loop = Loop(restored.watches, commits, metrics, DeclaredReplays(config.file, config.replays), step)
        stop.calls(loop.stop)
        loop.run(lines, until_caught_up=until_caught_up)
        lines.close()
        if lines.problem is not None:
            logger.error("ledger_file_incomplete", problem=lines.problem)
        logger.info("stopped")
    return 0 if lines.problem is None else 1


def _prepared(config: Config) -> Path:
    """Make the state folder."""
    try:
        config.state_path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{config.file}: state.path: cannot make {config.state_path}: {error.strerror}"
        raise ConfigError([problem]) from error
    return config.state_path


class StopSignal:
    """SIGTERM and SIGINT, remembered from the start on; they end the loop after the cycle under way."""

    def __init__(self) -> None:
        self.is_set = False
        self._call: Callable[[], None] = lambda: None

    def calls(self, stop: Callable[[], None]) -> None:
        """What to call at the signal; at once where it has come already."""
        self._call = stop
        if self.is_set:
            stop()

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, _number: int, _frame: object) -> None:
        self.is_set = True
        self._call()


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
