"""Transactions at the source, aborted and left open; MirrorMaker copies what is not committed as well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from support.agreement import finish
from support.dump import end_offsets
from support.dupscope_process import named, total
from support.one_mirror import MIRROR, PARTITIONS, SINK, STEP_SECONDS, OneMirror, Shape
from support.oracle import SOURCE
from support.rig import Rig
from support.waiting import wait_until

pytestmark = pytest.mark.kafka

SHAPE = Shape("transactions", "booked-payments")
COMMITTED, ABORTED, REDONE, OPEN, BEHIND = 800, 100, 60, 200, 300
OPEN_SCRAPES = 40
"""For so many scrapes the transaction stays open after all else has come to rest."""


@pytest.fixture
def pipeline(rig: Rig, tmp_path: Path) -> Iterator[OneMirror]:
    with OneMirror(rig, SHAPE, tmp_path) as parts:
        yield parts


class Booking:
    """A transactional producer and a plain one for the same partitions. Counts what they wrote."""

    def __init__(self, bootstrap: str) -> None:
        common = {"bootstrap.servers": bootstrap, "enable.idempotence": True}
        self._plain = Producer(common)
        self._booking = Producer({**common, "transactional.id": f"{SHAPE.topic}-booking"})
        self._booking.init_transactions(30)
        self.written = 0

    def open(self, names: Iterable[str]) -> None:
        """Begin a transaction; its records are in the log when this returns."""
        self._booking.begin_transaction()
        self._write(self._booking, names)

    def commit(self) -> None:
        self._booking.commit_transaction(30)

    def abort(self) -> None:
        self._booking.abort_transaction(30)

    def plain(self, names: Iterable[str]) -> None:
        self._write(self._plain, names)

    def _write(self, producer: Producer, names: Iterable[str]) -> None:
        for number, name in enumerate(names):
            value = json.dumps({"payment_id": name, "amount": 7}).encode()
            stamp = time.time_ns() // 1_000_000
            producer.produce(SHAPE.topic, value, name, number % PARTITIONS, timestamp=stamp)
            self.written += 1
        assert producer.flush(30) == 0


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


def wait_copied(pipeline: OneMirror, booking: Booking) -> None:
    """MirrorMaker copies every record, whatever becomes of its transaction; the sink acts on every copy."""
    ends = lambda: end_offsets(pipeline.rig.dr.bootstrap, SHAPE.mirrored)  # noqa: E731
    wait_until(lambda: sum(ends().values()) == booking.written, STEP_SECONDS, "all is copied")
    pipeline.wait_acted()


def wait_no_suspects(pipeline: OneMirror) -> None:
    scraper = pipeline.scenario.scraper
    scraper.more(20)
    wait_until(lambda: total(scraper.last, "suspects") == 0, STEP_SECONDS, "nothing is open")


class TestTransactions:
    @pytest.mark.timeout(240)
    def test_only_what_is_committed_counts_and_what_is_open_waits_visibly(self, rig, pipeline):
        booking = Booking(rig.primary.bootstrap)
        scraper = pipeline.scenario.scraper
        pipeline.scenario.start()
        pipeline.mirror.start()
        pipeline.sink.start()
        for part in range(4):
            booking.open(names(f"committed-{part}", COMMITTED // 4))
            booking.commit()
        for _ in range(2):
            booking.open(names("redone", REDONE))
            booking.abort()
        booking.open(names("aborted", ABORTED))
        booking.abort()
        booking.open(names("redone", REDONE))
        booking.commit()
        wait_copied(pipeline, booking)
        wait_no_suspects(pipeline)
        pipeline.scenario.checkpoint()

        before = named(scraper.last, "duplicates_total", "unverified_total", "missing_total")
        booking.open(names("open", OPEN))
        booking.plain(names("behind", BEHIND))
        wait_copied(pipeline, booking)
        waiting = lambda: total(scraper.last, "suspects", stage=MIRROR)  # noqa: E731
        wait_until(lambda: waiting() == OPEN + BEHIND, STEP_SECONDS, "suspects wait for the transaction")
        first = len(scraper.samples)
        scraper.more(OPEN_SCRAPES)
        for sample in scraper.samples[first:]:
            assert total(sample, "suspects", stage=MIRROR) == OPEN + BEHIND
            assert named(sample, "duplicates_total", "unverified_total", "missing_total") == before
        since = {
            total(one, "oldest_suspect_timestamp_seconds", stage=MIRROR) for one in scraper.samples[first:]
        }
        assert len(since) == 1
        assert 0 < time.time() - since.pop() < 3 * STEP_SECONDS

        booking.commit()
        wait_no_suspects(pipeline)
        assert named(scraper.last, "duplicates_total", "unverified_total", "missing_total") == before
        booking.open(names("aborted-at-the-end", PARTITIONS))
        booking.abort()
        wait_copied(pipeline, booking)
        assert pipeline.sink.stop() == 0

        last = finish(pipeline.scenario)
        never_committed = ABORTED + PARTITIONS
        assert len(last.only.logs[SOURCE]) == COMMITTED + REDONE + OPEN + BEHIND
        assert sum(end_offsets(rig.primary.bootstrap, SHAPE.topic).values()) > booking.written
        assert last.truth.layer("produce") == last.truth.layer("consume") == 0
        assert last.truth.layer("mirror") == last.truth.effects[SINK, "mirror"] == 2 * REDONE
        assert last.truth.unverified["mirror", MIRROR, "not_in_source"] == never_committed
