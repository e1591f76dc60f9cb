from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from dupscope.app.saved import SavedPipeline
from dupscope.app.verify_logs import LogsAgain
from dupscope.app.watch import PipelineWatch
from dupscope.audit.reasons import InvalidLineError
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.forensics.sample import Sample
from dupscope.model.errors import ClusterError
from support.waiting import wait_until

SOURCE, MIRROR = 0, 1


def read_all(watch: PipelineWatch) -> SavedPipeline:
    """What a detector would commit that has read everything there is."""

    def is_read(log: int) -> bool:
        watch.tails[log].read(1000, 0.05)
        return watch.tails.is_at_end(log)

    watch.tails.open()
    for log in (SOURCE, MIRROR):
        wait_until(lambda log=log: is_read(log), 20, "all is read", poll=0)
    states = {log: watch.tails[log].state for log in (SOURCE, MIRROR)}
    return SavedPipeline("", list(watch.table.partitions), states, {})


@contextmanager
def again(online, saved: SavedPipeline, **pipeline: object) -> Iterator[LogsAgain]:
    config = online.config(**pipeline)
    impatient = {name: replace(each, timeout_seconds=2.0) for name, each in config.clusters.items()}
    config = replace(config, clusters=impatient)
    settings = config.pipelines["payments"]
    with closing(
        LogsAgain(config, settings, saved, Fingerprinter(bytes(16), "payments", settings.key))
    ) as logs:
        yield logs


def sampled(logs: LogsAgain) -> Sample:
    sample = Sample(1000, 1, logs.table.partitions)
    logs.open()
    logs.read(sample, lambda passed, total: None)
    return sample


def copies(sample: Sample) -> list[int]:
    """How many copies there are of each key."""
    return sorted(len(key.copies) for key in sample.keys.values())


class TestRead:
    def test_what_was_read_is_read_again(self, online):
        online.produce(*range(10), 3)
        online.mirror(*range(10), 3, 4)
        saved = read_all(online.watch())
        with again(online, saved) as logs:
            sample = sampled(logs)

            assert copies(sample) == [2] * 8 + [3, 4]
            assert not any(key.grows for key in sample.keys.values())
            assert logs.is_past_ends(saved)
            extent = logs.extent(frozenset())
        assert extent.positions == {
            slot: at for tail in saved.tails.values() for slot, at in tail.positions.items()
        }
        assert extent.begun == dict.fromkeys(range(6), 0)
        assert set(extent.covered_ms.values()) == {0}

    def test_the_slots_are_those_of_the_detector(self, online):
        online.produce(*range(5))
        saved = read_all(online.watch())
        with again(online, saved) as logs:
            logs.open()

            assert logs.table.partitions == saved.partitions

    def test_what_came_since_is_noted_and_no_more(self, online):
        online.produce(*range(10))
        online.mirror(*range(10))
        saved = read_all(online.watch())
        online.mirror(3)
        online.produce(20)
        with again(online, saved) as logs:
            sample = sampled(logs)

            assert copies(sample) == [2] * 10
            assert sum(key.grows for key in sample.keys.values()) == 1
            assert not logs.is_past_ends(saved)

    def test_a_detector_that_has_read_a_part_is_compared_by_that(self, online):
        online.produce(*range(10))
        watch = online.watch()
        saved = read_all(watch)
        online.produce(*range(5, 30))
        with again(online, saved) as logs:
            sample = sampled(logs)

            assert copies(sample) == [1] * 10
            assert sum(key.grows for key in sample.keys.values()) == 5

    def test_nothing_was_read(self, online):
        online.produce(*range(10))
        saved = read_all(online.watch())
        states = {log: replace(state, positions={}, beginnings={}) for log, state in saved.tails.items()}
        with again(online, replace(saved, tails=states, partitions=[])) as logs:
            assert sampled(logs).keys == {}

    def test_lost_records_move_the_coverage(self, online):
        online.produce(*range(9))
        saved = read_all(online.watch())
        online.source.delete_records("payments", 1, 2)
        with again(online, saved) as logs:
            sampled(logs)
            extent = logs.extent(frozenset({"charger"}))
        (slot,) = [slot for slot, offset in extent.begun.items() if offset]
        assert (saved.partitions[slot].number, extent.begun[slot]) == (1, 2)
        record = saved.tails[SOURCE].newest_ms[slot]
        assert extent.covered_ms == {"payments": record}
        assert extent.unread_sinks == {"charger"}

    def test_a_log_without_a_record_left_is_covered_since_its_last(self, online):
        online.produce(*range(9))
        saved = read_all(online.watch())
        online.source.delete_records("payments", 1, 3)
        with again(online, saved) as logs:
            sampled(logs)
            newest = max(saved.tails[SOURCE].newest_ms[slot] for slot in saved.tails[SOURCE].newest_ms)
            covered = logs.extent(frozenset()).covered_ms["payments"]
        assert newest - 3 < covered <= newest

    def test_progress_is_told(self, online):
        online.produce(*range(9))
        online.mirror(*range(9))
        told = []
        with again(online, read_all(online.watch())) as logs:
            logs.open()
            logs.read(Sample(10, 1, logs.table.partitions), lambda *both: told.append(both))

        assert told[-1] == (18, 18)
        assert told == sorted(told)

    def test_clusters_that_are_away_are_told(self, online):
        saved = read_all(online.watch())
        online.destination.stop()
        with again(online, saved) as logs, pytest.raises(ClusterError, match="cluster 'dr'"):
            logs.open()


class TestResolve:
    def test_positions_of_logs_that_the_sink_reads(self, online):
        saved = read_all(online.watch())
        with again(online, saved) as logs:
            place = logs.resolve(0, "dr", "primary.payments", 2)

            assert place is not None
            slot, logical = place
            assert (saved.partitions[slot].number, saved.partitions[slot].log, logical) == (
                2,
                MIRROR,
                "payments",
            )
            assert logs.resolve(0, None, "primary.payments", 2) == place
            assert logs.resolve(0, "primary", "primary.payments", 2) is None
            assert logs.resolve(0, None, "payments", 2) is None

    def test_a_partition_that_is_not_known_holds_nothing(self, online):
        saved = read_all(online.watch())
        with again(online, saved) as logs:
            assert logs.resolve(0, "dr", "primary.payments", 99) == (len(saved.partitions), "payments")

    def test_a_topic_of_two_clusters_needs_the_cluster(self, online):
        mirrors = {"to-dr": {"cluster": "dr", "topics": ["payments"], "policy": "identity"}}
        sinks = {"charger": {"reads": ["source", "to-dr"], "audit": {"file": "audit"}}}
        online.destination.create_topic("payments", 3)
        saved = read_all(online.watch(mirrors=mirrors, sinks=sinks))
        with again(online, saved, mirrors=mirrors, sinks=sinks) as logs:
            with pytest.raises(InvalidLineError):
                logs.resolve(0, None, "payments", 0)
            assert logs.resolve(0, "dr", "payments", 0) != logs.resolve(0, "primary", "payments", 0)
