from __future__ import annotations

import time
from collections import Counter

import pytest

from dupscope.app.watch import PipelineWatch, Reads, reason_of, start_of
from dupscope.kafka.errors import AccessDeniedError, BrokersUnreachableError, TopicMissingError
from dupscope.kafka.starts import Start
from dupscope.model.finding import Layer
from support.waiting import wait_until

SOURCE, MIRROR, SINK = 0, 1, 0
STARTED_MS = 1_800_000_000_000


class Cycles:
    """Runs cycles of one pipeline and adds up what they gave."""

    def __init__(self, watch: PipelineWatch) -> None:
        self.watch = watch
        self.number = 0
        self.records: Counter[str] = Counter()
        self.found: list[tuple[Layer, int, int]] = []
        self.unverified: Counter = Counter()
        self.reads = Reads()

    def run(self) -> None:
        self.number += 1
        self.reads = self.watch.read(0.05)
        outcome = self.watch.observe(self.number, int(time.time() * 1000), self.reads)
        self.watch.conclude(outcome, self.reads)
        for log, read in self.reads.logs.items():
            self.records[self.watch.topology.logs[log].name] += len(read.batch)
        for finding in outcome.findings:
            self.found.append((finding.layer, finding.position.partition, finding.position.offset))
        self.unverified += outcome.unverified

    def until_quiet(self) -> None:
        def quiet() -> bool:
            self.run()
            return self.watch.is_caught_up and self.watch.ledger.quiet

        wait_until(quiet, 20, "caught up, and nothing waits", poll=0)


class TestStartOf:
    @pytest.mark.parametrize(
        ("start", "source", "mirror"),
        [
            ("earliest", Start("earliest"), Start("earliest")),
            ("latest", Start("timestamp", STARTED_MS - 600_000), Start("latest")),
            ("1h", Start("timestamp", STARTED_MS - 4_200_000), Start("timestamp", STARTED_MS - 3_600_000)),
        ],
    )
    def test_levels(self, offline, start, source, mirror):
        """Each log begins a margin before the log that copies it."""
        settings = offline.config(start=start, margin="10m").pipelines["payments"]
        assert start_of(settings, SOURCE, STARTED_MS) == source
        assert start_of(settings, MIRROR, STARTED_MS) == mirror

    def test_without_a_mirror(self, offline):
        """A source alone needs no margin."""
        settings = offline.config(start="latest", mirrors={}, sinks={}).pipelines["payments"]
        assert start_of(settings, SOURCE, STARTED_MS) == Start("latest")


class TestReasonOf:
    def test_by_what_helps(self):
        """Time helps against a cluster that is away, a person against one that refuses."""
        assert reason_of(BrokersUnreachableError("")) == "unreachable"
        assert reason_of(TopicMissingError("")) == "topic_missing"
        assert reason_of(AccessDeniedError("")) == "access_denied"


class TestOpen:
    def test_all(self, online):
        """With both clusters there, all partitions are numbered, and nothing is left to open."""
        watch = online.watch()
        assert not watch.is_complete
        assert watch.open() == {}
        assert watch.is_complete
        assert len(watch.table) == 6
        assert watch.open() == {}
        assert len(watch.table) == 6

    def test_one_is_away(self, online):
        """A log that cannot be opened is told with the reason; the others are read meanwhile."""
        online.produce(*range(5))
        online.destination.stop()
        watch = online.watch()
        problems = watch.open()
        assert list(problems) == [MIRROR]
        assert problems[MIRROR].startswith("cluster 'dr': topic 'primary.payments': ")
        assert (watch.is_up(SOURCE), watch.is_up(MIRROR)) == (True, False)
        cycles = Cycles(watch)
        wait_until(lambda: cycles.run() or cycles.records["source"] == 5, 20, "the source is read", poll=0)
        assert not watch.is_caught_up
        assert watch.take_ends(cycles.reads) is None

    def test_silent_cluster(self, online):
        """A cluster that has just not answered is not asked again at once; its problem stays."""
        online.destination.stop()
        watch = online.watch()
        problems = watch.open()
        assert list(problems) == [MIRROR]
        began = time.monotonic()
        assert watch.open() == problems
        assert time.monotonic() - began < 1
        assert not watch.is_complete


class TestCycle:
    def test_duplicates_of_all_layers(self, online, effect):
        """What was planted is found, nothing else, and then all is quiet."""
        online.produce(*range(9), 4)
        online.mirror(*range(9), 4, 7)
        effects = [effect(number, number // 3) for number in range(9)]
        online.audit.write_text("".join([*effects, effect(4, 3), effect(7, 4), effects[0]]))
        watch = online.watch()
        watch.open()
        cycles = Cycles(watch)
        cycles.until_quiet()
        assert sorted(cycles.found) == [
            (Layer.CONSUME, 0, 0),
            (Layer.MIRROR, 1, 4),
            (Layer.PRODUCE, 1, 3),
        ]
        assert cycles.records == {"source": 10, "to-dr": 11}
        assert not cycles.unverified
        assert watch.audited() == {SINK: online.audit.stat().st_size}

    def test_audit_waits_for_its_logs(self, online, effect):
        """Audit lines are not read before the logs that they point into are known."""
        online.audit.write_text(effect(0, 0))
        watch = online.watch()
        assert watch.read(0.0).sinks == {}
        watch.open()
        assert watch.read(0.0).sinks[SINK].lines == 1

    def test_stop(self, online):
        """After a stop a read waits for nothing, and no cluster is asked."""
        watch = online.watch()
        watch.open()
        watch.stop()
        began = time.monotonic()
        reads = watch.read(5.0)
        assert watch.take_ends(reads) is None
        assert time.monotonic() - began < 1
        assert reads.errors == {}


class TestHowFar:
    def test_caught_up(self, online):
        """Caught up is: past the ends as they were when all was open. What comes later changes nothing."""
        online.produce(*range(6))
        online.mirror(*range(6))
        watch = online.watch()
        watch.open()
        assert not watch.is_caught_up
        cycles = Cycles(watch)
        cycles.until_quiet()
        online.produce(*range(6, 12))
        watch.take_ends(cycles.reads)
        assert watch.is_caught_up
        assert watch.lag_records(SOURCE) == {"payments": 6}
        assert watch.lag_records(MIRROR) == {"primary.payments": 0}

    def test_ends(self, online):
        """Ends are by slot, in all logs, read or not."""
        online.produce(0, 1, 3)
        watch = online.watch()
        watch.open()
        ends = watch.take_ends(Reads())
        numbers = {slot: (p.topic, p.number) for slot, p in enumerate(watch.table.partitions)}
        assert {numbers[slot]: end for slot, end in enumerate(ends.tolist()) if end} == {
            ("payments", 0): 2,
            ("payments", 1): 1,
        }

    def test_brokers_away(self, online):
        """Without an answer there are no ends, an error is counted once, and the log is down."""
        watch = online.watch()
        watch.open()
        online.destination.stop()
        reads = Reads()
        assert watch.take_ends(reads) is None
        assert watch.take_ends(reads) is None
        assert reads.errors == {MIRROR: ["unreachable"]}
        assert (watch.is_up(SOURCE), watch.is_up(MIRROR)) == (True, False)

    def test_coverage(self, online):
        """A log read from offset 0 is covered from its beginning."""
        watch = online.watch()
        watch.open()
        assert [watch.covered_since_ms(log) for log in (SOURCE, MIRROR)] == [None, None]


class TestUnreadableAudits:
    def test_absent(self, offline):
        """A file that is not there yet is named with its sink, in words; once there, it is no problem."""
        watch = offline.watch()
        assert watch.unreadable_audits() == {"charger": f"{offline.audit}: there is no such file yet"}
        offline.audit.touch()
        assert watch.unreadable_audits() == {}

    def test_folder(self, offline):
        """What is no file cannot be read either."""
        offline.audit.mkdir()
        assert offline.watch().unreadable_audits() == {"charger": f"{offline.audit}: is no file"}
