"""One way to read a topic to its end, in a process of its own on one core.

Usage: contestant.py CORE NAME BOOTSTRAP TOPIC RECORDS. Prints one JSON object: `seconds` from the assignment
to the last record, `cpu_seconds` of the process in that time.
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
from pathlib import Path
from typing import Self

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from dupscope.app.clusters import Clusters
from dupscope.app.loop import Loop
from dupscope.app.replays import DeclaredReplays
from dupscope.app.run import quiet_collector
from dupscope.app.shapes import shape_of
from dupscope.app.watch import PipelineWatch
from dupscope.config.load import load
from dupscope.forensics.ledgerfile import LedgerFile
from dupscope.kafka.client import silent
from dupscope.kafka.settings import DEFAULTS
from dupscope.store.commit import Store
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
    """Wall-clock and processor time of a block."""

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


def _dupscope(template: str, bootstrap: str, topic: str, records: int) -> Stopwatch:
    """From opening the tails until everything is read, judged, committed and published."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dupscope.yaml")
        file.write_text(template.format(bootstrap=bootstrap, topic=topic, state=folder))
        config = load(file, os.environ)
    clusters = Clusters(config.clusters, silent, int(time.time() * 1000))
    (settings,) = config.pipelines.values()
    watch = PipelineWatch(config, settings, bytes(16), clusters)
    metrics = Metrics([shape_of(settings)], "bench")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    findings = FindingLog(structlog.get_logger(), metrics, 100)
    loop = Loop([watch], Store(), metrics, findings, DeclaredReplays(file, config.replays))
    with quiet_collector(), Stopwatch() as stopwatch:
        loop.run(LedgerFile(None), until_caught_up=True)
    read = sum(metrics.published.snapshot.values["records_total"].values())
    assert read == records * len(settings.topology.logs), read
    watch.close()
    clusters.close()
    return stopwatch


CONTESTANTS: dict[str, Callable[[str, str, int], Stopwatch]] = {
    each.__name__: each for each in (bare, naive, source, mirror)
}


def main() -> None:
    core, name, bootstrap, topic, records = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    watch = CONTESTANTS[name](bootstrap, topic, int(records))
    print(json.dumps({"seconds": watch.seconds, "cpu_seconds": watch.cpu_seconds}))


if __name__ == "__main__":
    main()
