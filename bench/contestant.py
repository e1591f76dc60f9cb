"""One way to read a topic to its end, in a process of its own on one core.

Usage: contestant.py CORE NAME BOOTSTRAP TOPIC RECORDS. Prints one JSON object: `seconds` from the assignment
to the last record, `cpu_seconds` of the process in that time; of the program also what its store did.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Self

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from stores import ForgetfulStore, TimedStore

from dupscope.app.clusters import Clusters
from dupscope.app.commits import Commits
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.restore import Restorer
from dupscope.app.run import quiet_collector
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.config.load import load
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.kafka.client import silent
from dupscope.kafka.settings import DEFAULTS
from dupscope.store.commit import no_step
from dupscope.telemetry.findings import FindingLog
from dupscope.telemetry.metrics import Metrics

SOURCE_ONLY = """
clusters:
  primary: {{bootstrap.servers: "{bootstrap}"}}
pipelines:
  payments:
    key: {{json: [payment_id]}}
    start: earliest
    source: {{cluster: primary, topics: [{topic}]}}
state: {{path: "{state}"}}
web: {{listen: "127.0.0.1:0"}}
"""
WITH_MIRROR = SOURCE_ONLY.replace(
    "state:", "    mirrors:\n      to-dr: {{cluster: dr, topics: [{topic}], policy: identity}}\nstate:"
).replace("pipelines:", '  dr: {{bootstrap.servers: "{bootstrap}"}}\npipelines:')


class Stopwatch:
    """Wall-clock and processor time of a block, and whatever else is to be told of it."""

    more: ClassVar[dict[str, float]] = {}

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = _cpu_seconds() - self._cpu


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _consumer(bootstrap: str, topic: str) -> Consumer:
    """A consumer with the fetch settings of a tail, reading all partitions from their beginning."""
    consumer = Consumer({**DEFAULTS, "bootstrap.servers": bootstrap, "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    return consumer


def bare(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """Takes records from the client and drops them."""
    gc.disable()
    with Stopwatch() as watch:
        consumer, seen = _consumer(bootstrap, topic), 0
        while seen < records:
            seen += len(consumer.consume(1000, 1.0))
    consumer.close()
    return watch


def naive(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """What people write: poll, json.loads, a dict of what was seen."""
    with Stopwatch() as watch:
        consumer, seen, duplicates, count = _consumer(bootstrap, topic), {}, 0, 0
        while count < records:
            message = consumer.poll(1.0)
            if message is None or message.error():
                continue
            count += 1
            key = json.loads(message.value())["payment_id"]
            if key in seen:
                duplicates += 1
            seen[key] = (message.partition(), message.offset())
    consumer.close()
    return watch


def source(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """The program on one log."""
    return _dupscope(SOURCE_ONLY, bootstrap, topic, records)


def mirror(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """The program on a log and its mirror: the same topic read as both."""
    return _dupscope(WITH_MIRROR, bootstrap, topic, records)


def source_unstored(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """The same as `source`, nothing stored."""
    return _dupscope(SOURCE_ONLY, bootstrap, topic, records, stored=False)


def mirror_unstored(bootstrap: str, topic: str, records: int) -> Stopwatch:
    """The same as `mirror`, nothing stored."""
    return _dupscope(WITH_MIRROR, bootstrap, topic, records, stored=False)


class ReadingLoop(Loop):
    """A loop that leaves the checkpoint of an orderly end to whoever measures that."""

    def _finish(self, ledger_file: LedgerFile) -> None:
        self._settle(ledger_file)


def _dupscope(template: str, bootstrap: str, topic: str, records: int, *, stored: bool = True) -> Stopwatch:
    """From opening the tails until everything is read, judged, committed and published."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder, "dupscope.yaml")
        file.write_text(template.format(bootstrap=bootstrap, topic=topic, state=folder))
        config = load(file, os.environ)
        store = TimedStore(Path(folder)) if stored else ForgetfulStore()
        stack.callback(store.close)
        clusters = Clusters(config.clusters, silent, int(time.time() * 1000))
        stack.callback(clusters.close)
        (settings,) = config.pipelines.values()
        metrics = Metrics([shape_of(settings)], "bench")
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        findings = FindingLog(structlog.get_logger(), metrics, 100)
        restorer = Restorer(store, metrics, no_step, lambda: False)
        restored = restorer.restore(lambda: [PipelineWatch(config, settings, bytes(16), clusters)])
        stack.callback(restored.watches[0].close)
        commits = Commits(store, restored, metrics, findings)
        loop = ReadingLoop(restored.watches, commits, metrics, DeclaredReplays(file, config.replays))
        with quiet_collector(), Stopwatch() as stopwatch:
            loop.run(LedgerFile(None), until_caught_up=True)
        read = sum(metrics.published.snapshot.values["records_total"].values())
        assert read == records * len(settings.topology.logs), read
        stopwatch.more = {f"store_{name}": value for name, value in store.figures().items()}
    return stopwatch


CONTESTANTS: dict[str, Callable[[str, str, int], Stopwatch]] = {
    each.__name__: each for each in (bare, naive, source, source_unstored, mirror, mirror_unstored)
}


def main() -> None:
    core, name, bootstrap, topic, records = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    watch = CONTESTANTS[name](bootstrap, topic, int(records))
    print(json.dumps({"seconds": watch.seconds, "cpu_seconds": watch.cpu_seconds, **watch.more}))


if __name__ == "__main__":
    main()
