"""A sink that must act on every payment, and a group that is moved over some of them."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from support.broker import Broker
from support.dupscope_process import DupscopeProcess, total
from support.oracle import SOURCE, Flow
from support.payments import Plan
from support.scenario import Pipeline
from support.stand import PARTITIONS, STEP_SECONDS, log, wait_acted
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC = GROUP = "expected"
SKIPPED = 40
FLOW = Flow(("payment_id",), {}, {"charger": (SOURCE,)})


class TestExpected:
    @pytest.mark.timeout(240)
    def test_what_a_group_was_moved_over_is_missing_until_it_is_done(self, rig, stand, tmp_path):
        """Each payment that was skipped counts, no other one, also across a kill of dupscope."""
        rig.primary.create_topic(TOPIC, PARTITIONS)
        sink = stand.sink(rig.primary, TOPIC, GROUP)
        stages = {"charger": {"expects": "all", "group": GROUP}}
        place = {SOURCE: log(rig.primary, TOPIC)}
        pipeline = Pipeline(TOPIC, FLOW, place, {"charger": sink}, stages=stages)
        config = stand.scenario(TOPIC, [pipeline]).write_configuration(tmp_path / "watched")
        producer = stand.producer(rig.primary, TOPIC, {Plan.NEW: 1})
        producer.produce(300)
        producer.finish()
        sink.start()
        wait_acted(sink, rig.primary, TOPIC)
        assert sink.stop() == 0
        with closing(DupscopeProcess(config, name="first")) as first:
            first.start()
            wait_until(lambda: shown(first, "records_total") == producer.total, STEP_SECONDS, "all is read")
            producer.produce(600)
            producer.finish()
            move(rig.primary, SKIPPED)
            sink.start()
            wait_acted(sink, rig.primary, TOPIC)
            assert sink.stop() == 0
            expected = SKIPPED * PARTITIONS
            wait_until(lambda: missing(first) == expected, STEP_SECONDS, "what was skipped is missing")
            first.process.kill()

        with closing(DupscopeProcess(config, name="second")) as second:
            second.start()
            assert missing(second) == expected
            back = max(end for end in commits(rig.primary).values())
            move(rig.primary, -back)
            sink.start()
            wait_until(lambda: recovered(second) == expected, STEP_SECONDS, "it was done after all")
            assert missing(second) == expected
            assert sink.stop() == 0
            assert second.process.stop() == 0


def move(broker: Broker, records: int) -> None:
    """Move the group's commits, forward or back to the beginning at most."""
    back = [TopicPartition(TOPIC, number, max(0, at + records)) for number, at in commits(broker).items()]
    admin = broker.admin()
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, back)])[GROUP].result(20)


def commits(broker: Broker) -> dict[int, int]:
    """What the group has committed, by partition."""
    asked = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    request = [ConsumerGroupTopicPartitions(GROUP, asked)]
    admin = broker.admin()
    found = admin.list_consumer_group_offsets(request)[GROUP].result(20)
    return {one.partition: one.offset for one in found.topic_partitions}


def shown(dupscope: DupscopeProcess, name: str, **labels: str) -> float:
    return total(dupscope.scrape(), name, **labels)


def missing(dupscope: DupscopeProcess) -> float:
    return shown(dupscope, "missing_total", layer="consume", stage="charger")


def recovered(dupscope: DupscopeProcess) -> float:
    return shown(dupscope, "recovered_total", layer="consume", stage="charger")
