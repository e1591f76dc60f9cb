"""`dupscope verify`: is what the detector says true? Some keys are read again and judged by other means."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dupscope.app.demo.progress import Progress
from dupscope.app.identity import identity
from dupscope.app.verify_audit import AuditAgain
from dupscope.app.verify_logs import LogsAgain
from dupscope.app.verify_report import Verified, print_json, print_text
from dupscope.app.verify_state import StoredState, look
from dupscope.config.load import load
from dupscope.config.problems import nearest_of_all
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.secret import load_or_create
from dupscope.forensics.comparison import Comparison, Stored
from dupscope.forensics.oracle import Oracle
from dupscope.forensics.sample import Sample
from dupscope.forensics.verify import Comparer
from dupscope.model.errors import ConfigError, StoreError

EQUAL, DIFFERENT = 0, 1

LOOK_AGAIN_SECONDS = 0.5
NOTHING_NEW_SECONDS = 15.0
"""A detector that has committed nothing for so long is not about to judge anything."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How many keys of each pipeline, which ones, and how long to wait for what is not judged yet."""

    sample: int
    seed: int
    pipeline: str | None = None
    wait_seconds: float = 30.0
    as_json: bool = False


def verify_file(file: Path, options: VerifyOptions) -> int:
    """Print what is equal and what is not. Returns the exit code.

    Raises ConfigError, ClusterError, and StoreError where there is no state of this configuration.
    """
    config = load(file, os.environ)
    secret = _secret(config.fingerprint_key)
    progress = Progress(sys.stderr)
    verified = []
    for name in _chosen(config, options):
        told = partial(_tell, progress, name)
        verified.append(Verifier(config, config.pipelines[name], secret, options).run(told))
    progress.end()
    (print_json if options.as_json else print_text)(verified, sys.stdout)
    return EQUAL if all(each.is_equal for each in verified) else DIFFERENT


class Verifier:
    """Verifies one pipeline, beside a detector that may go on meanwhile."""

    def __init__(
        self, config: Config, settings: PipelineSettings, secret: bytes, options: VerifyOptions
    ) -> None:
        self._config = config
        self._settings = settings
        self._options = options
        self._identity = identity(config, settings.name, secret)
        self._fingerprinter = Fingerprinter(secret, settings.name, settings.key)

    def run(self, told: Callable[[int, int], None]) -> Verified:
        """Take what was committed, read it again, and compare with what was found then and since."""
        then = self._look()
        logs = LogsAgain(self._config, self._settings, then.saved, self._fingerprinter)
        with closing(logs):
            sample = Sample(self._options.sample, self._options.seed, logs.table.partitions)
            logs.open()
            logs.read(sample, told)
            unread = self._read_audits(logs, sample, then)
            oracle = Oracle(
                self._settings.topology,
                int(self._settings.window_seconds * 1000),
                int(self._settings.margin_seconds * 1000),
            )
            replays = self._config.replays.get(self._settings.name, ())
            comparer = Comparer(oracle, logs.table.partitions, logs.extent(unread), replays)
            comparison = self._compared(comparer, sample, then, logs)
        return Verified(self._settings.name, self._options.seed, comparison, sorted(unread))

    def _look(self) -> StoredState:
        name = self._settings.name
        state = look(self._config.state_path, name)
        if state.saved.identity != self._identity:
            raise StoreError(
                f"{self._config.state_path}: what is stored of pipeline '{name}' belongs to another "
                "configuration or fingerprint key; 'dupscope run' must take up this one first"
            )
        return state

    def _read_audits(self, logs: LogsAgain, sample: Sample, then: StoredState) -> frozenset[str]:
        """Read the audit logs. Returns the sinks whose lines are not all there any more."""
        unread = set()
        for sink, audit in self._settings.audits.items():
            name = self._settings.topology.sinks[sink].name
            again = AuditAgain(audit, sink, partial(logs.resolve, sink), self._fingerprinter)
            if not again.read(then.saved.audits[sink], sample) or name in then.rotated:
                unread.add(name)
        return frozenset(unread)

    def _compared(self, comparer: Comparer, sample: Sample, then: StoredState, logs: LogsAgain) -> Comparison:
        """Compare; while something is missing that may not be judged yet, wait for it.

        Whatever was open at the commit is judged once the detector has passed the ends that were taken since,
        and once more: a barrier that it had not taken yet lies no further than the second ones.
        """
        ids = frozenset(finding.id for finding in then.findings)
        waiting = _Patience(self._options.wait_seconds)
        passed, now = 0, self._look()
        while True:
            result = comparer.compare(sample, _stored(now, ids, is_settled=True))
            if not result.missing or passed > 1:
                return result
            if logs.is_past_ends(now.saved):
                passed += 1
                logs.take_ends()
            elif waiting.may_go_on(now.number):
                time.sleep(LOOK_AGAIN_SECONDS)
            else:
                return comparer.compare(sample, _stored(now, ids, is_settled=False))
            now = self._look()


class _Patience:
    """How long to wait for a detector: while it commits, and no longer than asked."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._number = -1
        self._moved_at = time.monotonic()

    def may_go_on(self, number: int) -> bool:
        """Whether to wait on, with the number of the last commit."""
        now = time.monotonic()
        if number != self._number:
            self._number, self._moved_at = number, now
        return now < self._until and now - self._moved_at < NOTHING_NEW_SECONDS


def _stored(state: StoredState, then: frozenset[str], *, is_settled: bool) -> Stored:
    return Stored(
        state.findings, then, state.kept_ms, state.unverified, state.unplaced, is_settled=is_settled
    )


def _secret(path: Path) -> bytes:
    """The fingerprint key, which must be there. Raises ConfigError."""
    if not path.exists():
        raise ConfigError([f"{path}: there is no fingerprint key yet; 'dupscope run' makes it"])
    return load_or_create(path)


def _chosen(config: Config, options: VerifyOptions) -> list[str]:
    if options.pipeline is None:
        return list(config.pipelines)
    if options.pipeline not in config.pipelines:
        what = nearest_of_all(options.pipeline, config.pipelines)
        raise ConfigError([f"--pipeline: there is no pipeline '{options.pipeline}'; {what}"])
    return [options.pipeline]


def _tell(progress: Progress, name: str, passed: int, total: int) -> None:
    share = min(1.0, passed / total) if total else 1.0
    progress.doing(f"{name}: {share:.0%} of {total:,} offsets read again")
