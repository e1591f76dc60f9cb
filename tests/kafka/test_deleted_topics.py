"""Topics are deleted on a real broker, for good or to be created again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from dupscope.app.clusters import Clusters
from dupscope.app.tails import BEYOND_REACH, GONE_SECONDS, PASSED
from dupscope.app.watch import PipelineWatch
from dupscope.config.load import load
from dupscope.kafka.client import silent
from support.clock import ManualClock
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def staying(rig: Rig) -> str:
    """The name of one of two topics; the other one's is `gone(staying)`."""
    return f"vanishing-{uuid.uuid4().hex[:8]}-a"


def gone(staying: str) -> str:
    return f"{staying[:-1]}b"


@pytest.fixture
def chosen(staying: str) -> list[str]:
    """How the two topics are configured."""
    return [f"^{staying[:-1]}.*"]


@pytest.fixture
def watch(
    rig: Rig, tmp_path: Path, clock: Callable[[], float], staying: str, chosen: list[str]
) -> Iterator[PipelineWatch]:
    """Of two topics, each with three records."""
    producer = Producer({"bootstrap.servers": rig.primary.bootstrap})
    for topic in (staying, gone(staying)):
        rig.primary.create_topic(topic, 1)
        for number in range(3):
            producer.produce(topic, json.dumps({"id": number}).encode())
    assert producer.flush(30) == 0
    file = tmp_path / "dupscope.yaml"
    source = {"cluster": "a", "topics": chosen}
    pipelines = {"p": {"key": {"json": "id"}, "start": "earliest", "source": source}}
    clusters = {"a": {"bootstrap.servers": rig.primary.bootstrap}}
    state = {"path": str(tmp_path / "state")}
    file.write_text(yaml.safe_dump({"clusters": clusters, "pipelines": pipelines, "state": state}))
    config = load(file, {})
    asked = Clusters(config.clusters, silent, 0, clock)
    with closing(asked), closing(PipelineWatch(config, config.pipelines["p"], bytes(16), asked)) as watch:
        yield watch


class TestDeletedTopic:
    def test_nothing_is_judged_while_it_is_away_and_then_the_rest_of_it_is_a_hole(
        self, rig, watch, clock, staying
    ):
        wait_until(lambda: not watch.tails.open() and len(watch.tails.topics(0)) == 2, 30, "both are found")
        delete(rig, gone(staying))
        errors: dict[int, list[str]] = {}
        wait_until(lambda: watch.tails.take_ends(errors) is None and errors, 30, "it is missed")
        assert set(errors[0]) == {"topic_missing"}
        assert not watch.tails.is_up(0)
        clock.now += GONE_SECONDS
        assert watch.tails.take_ends({}) is None
        assert watch.tails.take_ends({}) is not None
        assert watch.tails.is_up(0)
        assert list(watch.tails.topics(0)) == [staying]
        slot = watch.table.find(0, gone(staying), 0)
        assert watch.tails[0].read(100, 1.0).holes == [(slot, "topic_deleted")]
        assert watch.tails.passed()[slot] == PASSED
        assert watch.covered_since_ms(0) is not None


class TestNamedTopic:
    @pytest.fixture
    def chosen(self, staying):
        return [staying, gone(staying)]

    def test_it_is_waited_for_behind_a_barrier_that_cannot_be_reached(self, rig, watch, clock, staying):
        """So that what waits is given up in the end, by the rule for barriers, and visible until then."""
        wait_until(lambda: not watch.tails.open(), 30, "both are open")
        wait_until(lambda: watch.tails[0].read(100, 0.1) and watch.tails.is_at_end(0), 30, "all is read")
        old = watch.table.find(0, gone(staying), 0)
        delete(rig, gone(staying))
        wait_until(lambda: watch.tails.take_ends({}) is None, 30, "it is missed")
        assert gone(staying) in watch.tails.open()[0]
        clock.now += GONE_SECONDS
        assert set(watch.tails.take_ends({}).tolist()) == {BEYOND_REACH}
        assert watch.tails.progress([]).deleted == {0}
        assert watch.tails.lag_records(0) == {staying: 0, gone(staying): 0}
        rig.primary.create_topic(gone(staying), 1)
        wait_until(lambda: watch.tails.take_ends({}) is None and not watch.tails.open(), 30, "it is back")
        wait_until(lambda: watch.tails.take_ends({}) is not None, 30, "its end is known")
        assert watch.tails.progress([]).deleted == set()
        assert watch.tails.passed()[old] == PASSED


class TestCreatedAgain:
    def test_ends_of_the_new_topic_are_no_barrier_for_the_old_one(self, rig, watch, staying):
        """Its records must be read under its own id before anything is judged by them."""
        wait_until(lambda: not watch.tails.open() and len(watch.tails.topics(0)) == 2, 30, "both are found")
        wait_until(lambda: watch.tails[0].read(100, 0.1) and watch.tails.is_at_end(0), 30, "all is read")
        assert watch.tails.take_ends({}) is not None
        old = watch.table.find(0, gone(staying), 0)
        delete(rig, gone(staying))
        wait_until(lambda: gone(staying) not in topics(rig), 30, "it is gone")
        rig.primary.create_topic(gone(staying), 1)
        wait_until(lambda: gone(staying) in topics(rig), 30, "it is there again")
        errors: dict[int, list[str]] = {}
        assert watch.tails.take_ends(errors) is None
        assert (errors, watch.tails.is_complete) == ({}, False)
        watch.tails.open()
        assert watch.tails[0].retired == {old}
        assert watch.tails.take_ends({}) is not None


def delete(rig: Rig, topic: str) -> None:
    admin = rig.primary.admin()  # its requests die with it
    admin.delete_topics([topic])[topic].result(30)


def topics(rig: Rig) -> set[str]:
    return set(rig.primary.admin().list_topics(timeout=10).topics)
