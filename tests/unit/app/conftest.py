"""A pipeline of all three kinds of stages, on mock clusters or on none."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from dupscope.app.clusters import Clusters
from dupscope.app.watch import PipelineWatch
from dupscope.config.load import load
from dupscope.config.settings import Config
from dupscope.kafka.client import silent
from support.clock import ManualClock
from support.mock import MockCluster

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def manual_clock() -> ManualClock:
    return ManualClock()


@dataclass
class Pipeline:
    """Source `payments`, mirror `to-dr`, sink `charger`; three partitions. Nothing is opened yet."""

    folder: Path
    primary: str = NOWHERE
    dr: str = NOWHERE
    watches: list[PipelineWatch] = field(default_factory=list)
    clusters: list[Clusters] = field(default_factory=list)
    began_ms: int = field(default_factory=lambda: int(time.time() * 1000) - 60_000)

    @property
    def audit(self) -> Path:
        return self.folder / "audit.jsonl"

    def config(self, **pipeline: object) -> Config:
        document = {
            "clusters": {
                "primary": {"bootstrap.servers": self.primary},
                "dr": {"bootstrap.servers": self.dr},
            },
            "pipelines": {
                "payments": {
                    "key": {"json": ["id"]},
                    "start": "earliest",
                    "source": {"cluster": "primary", "topics": ["payments"]},
                    "mirrors": {"to-dr": {"cluster": "dr", "topics": ["primary.payments"]}},
                    "sinks": {"charger": {"reads": ["to-dr"], "audit": {"file": str(self.audit)}}},
                    "team": "checkout",
                    **pipeline,
                }
            },
            "state": {"path": str(self.folder / "state")},
            "web": {"listen": "127.0.0.1:0"},
        }
        file = self.folder / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        return load(file, {})

    def watch(self, **pipeline: object) -> PipelineWatch:
        config = self.config(**pipeline)
        clusters = Clusters(config.clusters, silent, int(time.time() * 1000))
        watch = PipelineWatch(config, config.pipelines["payments"], bytes(16), clusters)
        self.clusters.append(clusters)
        self.watches.append(watch)
        return watch

    def record(self, number: int) -> tuple[int, bytes, bytes, int]:
        """Partition, key, value, timestamp."""
        return number % 3, b"k", json.dumps({"id": number}).encode(), self.began_ms + number

    def effect(self, number: int, offset: int) -> str:
        """An audit line about the record of a number at an offset."""
        at = (self.began_ms + number) / 1000 + 1
        fields = {"key": number, "cluster": "dr", "topic": "primary.payments", "at": at}
        return json.dumps({**fields, "partition": number % 3, "offset": offset}) + "\n"

    def close(self) -> None:
        for each in (*self.watches, *self.clusters):
            each.close()


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Pipeline]:
    """The pipeline where nobody listens."""
    pipeline = Pipeline(tmp_path)
    yield pipeline
    pipeline.close()


@dataclass
class Online(Pipeline):
    """The pipeline with its clusters, whose topics are empty."""

    source: MockCluster = field(default_factory=MockCluster)
    destination: MockCluster = field(default_factory=MockCluster)

    def __post_init__(self) -> None:
        self.primary, self.dr = self.source.bootstrap_servers, self.destination.bootstrap_servers
        self.source.create_topic("payments", 3)
        self.destination.create_topic("primary.payments", 3)

    def produce(self, *numbers: int) -> None:
        self.source.produce("payments", map(self.record, numbers))

    def mirror(self, *numbers: int) -> None:
        self.destination.produce("primary.payments", map(self.record, numbers))

    def close(self) -> None:
        super().close()
        self.source.close()
        self.destination.close()


@pytest.fixture
def online(tmp_path: Path) -> Iterator[Online]:
    pipeline = Online(tmp_path)
    yield pipeline
    pipeline.close()
