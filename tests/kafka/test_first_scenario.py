"""The main job on real clusters: what the program reports equals what lists that it had no hand in say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agreement import finish
from support.main_job import COMMIT_EVERY, MIRROR, RECORDS, Job, MainJob, create_topics, main_job
from support.oracle import SOURCE
from support.rig import Rig
from support.sink import SinkProcess, SinkSettings

pytestmark = pytest.mark.kafka

JOB = Job()


@pytest.fixture
def story(rig: Rig, tmp_path: Path) -> Iterator[MainJob]:
    create_topics(rig, JOB)
    settings = SinkSettings(rig.dr.bootstrap, "dr", JOB.mirrored, JOB.sink, commit_every=COMMIT_EVERY)
    with main_job("main job", JOB, rig, SinkProcess(settings, tmp_path / "sink"), tmp_path) as story:
        yield story


class TestFirstScenario:
    @pytest.mark.timeout(240)
    def test_reported_duplicates_are_the_true_ones_at_every_scrape_and_at_the_end(self, story):
        story.play()
        lists = finish(story.scenario).only
        truth = lists.truth
        assert len(lists.logs[SOURCE]) == RECORDS
        assert truth.layer("produce") == sum(story.producer.duplicates.values()) > 300
        keyless_again = truth.unkeyed[MIRROR] - truth.unkeyed[SOURCE]
        assert truth.layer("mirror") == len(lists.logs[MIRROR]) - RECORDS - keyless_again > 1000
        assert truth.layer("consume") > 200
        assert (+truth.missing, +truth.unverified, truth.unbalanced) == ({}, {}, [])
