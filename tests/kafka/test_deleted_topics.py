"""A topic that a pattern had found is deleted on a real broker, for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from dupscope.app.clusters import Clusters
from dupscope.app.tails import GONE_SECONDS, PASSED
from dupscope.app.watch import PipelineWatch
from dupscope.config.load import load
from dupscope.kafka.client import silent
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka


class ManualClock:
    """Monotonic seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watch(rig: Rig, tmp_path: Path, clock: Callable[[], float]) -> Iterator[PipelineWatch]:
    """Of two topics by pattern, each with three records."""
    producer = Producer({"bootstrap.servers": rig.primary.bootstrap})
    for topic in ("vanishing-a", "vanishing-b"):
        rig.primary.create_topic(topic, 1)
        for number in range(3):
            producer.produce(topic, json.dumps({"id": number}).encode())
    assert producer.flush(30) == 0
    file = tmp_path / "dupscope.yaml"
    source = {"cluster": "a", "topics": ["^vanishing-.*"]}
    pipelines = {"p": {"key": {"json": "id"}, "start": "earliest", "source": source}}
    clusters = {"a": {"bootstrap.servers": rig.primary.bootstrap}}
    state = {"path": str(tmp_path / "state")}
    file.write_text(yaml.safe_dump({"clusters": clusters, "pipelines": pipelines, "state": state}))
    config = load(file, {})
    asked = Clusters(config.clusters, silent, 0, clock)
    with closing(asked), closing(PipelineWatch(config, config.pipelines["p"], bytes(16), asked)) as watch:
        yield watch


class TestDeletedTopic:
    def test_nothing_is_judged_while_it_is_away_and_then_the_rest_of_it_is_a_hole(self, rig, watch, clock):
        wait_until(lambda: not watch.tails.open() and len(watch.tails.topics(0)) == 2, 30, "both are found")
        admin = rig.primary.admin()  # its requests die with it
        admin.delete_topics(["vanishing-b"])["vanishing-b"].result(30)
        errors: dict[int, list[str]] = {}
        wait_until(lambda: watch.tails.take_ends(errors) is None and errors, 30, "it is missed")
        assert set(errors[0]) == {"topic_missing"}
        assert not watch.tails.is_up(0)
        clock.now += GONE_SECONDS
        assert watch.tails.take_ends({}) is None
        assert watch.tails.take_ends({}) is not None
        assert watch.tails.is_up(0)
        assert list(watch.tails.topics(0)) == ["vanishing-a"]
        holes = watch.tails[0].read(100, 1.0).holes
        gone = watch.table.find(0, "vanishing-b", 0)
        assert holes == [(gone, "topic_deleted")]
        assert watch.tails.passed()[gone] == PASSED
        assert watch.covered_since_ms(0) is not None
