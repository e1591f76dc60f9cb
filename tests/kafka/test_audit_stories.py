"""The main job with audit logs that are no plain file: a table, a topic, and files that agents ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agreement import finish
from support.audit_way import TopicWay
from support.charging import ChargingSink
from support.main_job import COMMIT_EVERY, MIRROR, RECORDS, Job, MainJob, create_topics, main_job
from support.oracle import SOURCE
from support.postgres import Server
from support.rig import Rig
from support.scenario import Lists
from support.sink import SinkProcess, SinkSettings
from support.three_consumers import ConsumerGroup

pytestmark = pytest.mark.kafka

CHARGED = Job("charged-orders", "charges")
TOLD = Job("told-orders", "teller")
SHIPPED = Job("shipped-orders", "clerks")


def settings(rig: Rig, job: Job) -> SinkSettings:
    create_topics(rig, job)
    return SinkSettings(rig.dr.bootstrap, "dr", job.mirrored, job.sink, commit_every=COMMIT_EVERY)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "postgres") as server:
        yield server


def assert_all_layers(story: MainJob, lists: Lists) -> None:
    truth = lists.truth
    assert len(lists.logs[SOURCE]) == RECORDS
    assert truth.layer("produce") == sum(story.producer.duplicates.values()) > 300
    keyless_again = truth.unkeyed[MIRROR] - truth.unkeyed[SOURCE]
    assert truth.layer("mirror") == len(lists.logs[MIRROR]) - RECORDS - keyless_again > 1000
    assert truth.layer("consume") > 100
    origins = {origin for (_, origin), count in truth.effects.items() if count}
    assert origins == {"produce", "mirror", "consume"}
    assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])


@pytest.mark.timeout(300)
class TestStories:
    """Reported duplicates are the planted ones, per layer and per origin, at every scrape and at the end."""

    def test_charges_in_postgres(self, rig, tmp_path, postgres):
        """The sink is killed between INSERT and COMMIT; its table of charges is the audit log."""
        sink = ChargingSink(settings(rig, CHARGED), postgres, tmp_path / "sink")
        with main_job("audit in Postgres", CHARGED, rig, sink, tmp_path) as story:
            story.play()
            assert_all_layers(story, finish(story.scenario).only)

    def test_lines_in_a_topic(self, rig, tmp_path):
        rig.dr.create_topic("teller-audit", 3)
        way = TopicWay("dr", rig.dr.bootstrap, "teller-audit")
        sink = SinkProcess(settings(rig, TOLD), tmp_path / "sink", way)
        with main_job("audit in a topic", TOLD, rig, sink, tmp_path) as story:
            story.play()
            assert_all_layers(story, finish(story.scenario).only)

    def test_three_consumers_with_an_agent_each(self, rig, tmp_path):
        """After a rebalance the two effects of one record lie in two files; an agent is killed meanwhile."""
        rig.dr.create_topic("clerks-audit", 3)
        way = TopicWay("dr", rig.dr.bootstrap, "clerks-audit")
        group = ConsumerGroup(settings(rig, SHIPPED), way, tmp_path)
        with main_job("three agents", SHIPPED, rig, group, tmp_path) as story:
            story.play()
            lists = finish(story.scenario).only
            assert_all_layers(story, lists)
        stages = {("dr", SHIPPED.mirrored): MIRROR}
        files = Counter(where for one in group.effects_of_each(stages) for where in {e.where for e in one})
        assert sum(count > 1 for count in files.values()) > 50
