"""A sink without an audit log: what its group's commits tell, and what they cannot."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from support.broker import Broker
from support.dupscope_process import DupscopeProcess, total
from support.oracle import SOURCE, Flow
from support.rig import Rig
from support.scenario import Pipeline
from support.stand import PARTITIONS, STEP_SECONDS, Stand, log, wait_acted
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC = GROUP = "redelivered"
BACK = 50
FLOW = Flow(("payment_id",), {}, {})


class TestRedelivered:
    @pytest.mark.timeout(240)
    def test_a_kill_before_a_commit_is_not_seen_and_a_reset_is(self, rig, stand, tmp_path):
        """Brokers do not see that records come again after a kill; they see a commit that moves back."""
        rig.primary.create_topic(TOPIC, PARTITIONS)
        section = {"charger": {"reads": [SOURCE], "group": GROUP}}
        pipeline = Pipeline(TOPIC, FLOW, {SOURCE: log(rig.primary, TOPIC)}, settings={"sinks": section})
        config = stand.scenario("redelivered", [pipeline]).write_configuration(tmp_path / "watched")
        with closing(DupscopeProcess(config, name="during")) as during:
            during.start()
            produced = charge_twice(rig, stand)
            wait_until(lambda: read(during) == produced, STEP_SECONDS, "all is read")
            assert redelivered(during) == 0
            assert during.process.stop() == 0
        with closing(DupscopeProcess(config, "--until-caught-up", name="after")) as after:
            after.start()
            assert after.process.wait_exit(60) == 0, after.process.tail()

        go_back(rig.primary)
        expected = BACK * PARTITIONS
        with closing(DupscopeProcess(config, name="later")) as later:
            later.start()
            wait_until(lambda: redelivered(later) == expected, STEP_SECONDS, "the reset is seen")
            later.process.kill()
        with closing(DupscopeProcess(config, name="again")) as again:
            again.start()
            assert redelivered(again) == expected
            go_back(rig.primary)
            wait_until(lambda: redelivered(again) == 2 * expected, STEP_SECONDS, "the next one adds to it")
            assert again.process.stop() == 0


def charge_twice(rig: Rig, stand: Stand) -> int:
    """A sink that acts on some records again, since it was killed before its commit. Gives the records."""
    sink = stand.sink(rig.primary, TOPIC, GROUP)
    producer = stand.producer(rig.primary, TOPIC)
    producer.produce(1000)
    producer.finish()
    sink.start(die_after=350)
    assert sink.wait_death() == -9
    sink.start()
    wait_acted(sink, rig.primary, TOPIC)
    assert sink.stop() == 0
    acted = sink.effects(SOURCE)
    assert len({one.where for one in acted}) < len(acted)
    return producer.total


def go_back(broker: Broker) -> None:
    """Reset the group as an operator does, by as many records in each partition."""
    admin = broker.admin()
    asked = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, asked)])[GROUP].result(20)
    back = [TopicPartition(TOPIC, one.partition, one.offset - BACK) for one in found.topic_partitions]
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, back)])[GROUP].result(20)


def read(dupscope: DupscopeProcess) -> float:
    return total(dupscope.scrape(), "records_total")


def redelivered(dupscope: DupscopeProcess) -> float:
    return total(dupscope.scrape(), "redelivered_records_total", stage="charger")
