from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest

from dupscope.app.watch import PipelineWatch, Reads
from dupscope.model.errors import StoreDamagedError
from dupscope.model.layer import Layer
from dupscope.model.plain import equal
from dupscope.store.contents import SavedState
from support.waiting import wait_until

SOURCE, MIRROR, SINK = 0, 1, 0


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
        outcome = self.watch.observe(self.number, self.reads)
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


class TestCycle:
    def test_duplicates_of_all_layers(self, online):
        """What was planted is found, nothing else, and then all is quiet."""
        online.produce(*range(9), 4)
        online.mirror(*range(9), 4, 7)
        effects = [online.effect(number, number // 3) for number in range(9)]
        online.audit.write_text("".join([*effects, online.effect(4, 3), online.effect(7, 4), effects[0]]))
        watch = online.watch()
        watch.tails.open()
        cycles = Cycles(watch)
        cycles.until_quiet()
        assert sorted(cycles.found) == [
            (Layer.CONSUME, 0, 0),
            (Layer.MIRROR, 1, 4),
            (Layer.PRODUCE, 1, 3),
        ]
        assert cycles.records == {"source": 10, "to-dr": 11}
        assert not cycles.unverified
        assert watch.saved()["audits"][SINK][0] == online.audit.stat().st_size

    def test_audit_waits_for_its_logs(self, online):
        """Audit lines are not read before the logs that they point into are known."""
        online.audit.write_text(online.effect(0, 0))
        watch = online.watch()
        assert watch.read(0.0).sinks == {}
        watch.tails.open()
        assert watch.read(0.0).sinks[SINK].lines == 1

    def test_stop(self, online):
        """After a stop a read waits for nothing, and no cluster is asked."""
        watch = online.watch()
        watch.tails.open()
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
        watch.tails.open()
        assert not watch.is_caught_up
        cycles = Cycles(watch)
        cycles.until_quiet()
        online.produce(*range(6, 12))
        watch.take_ends(cycles.reads)
        assert watch.is_caught_up
        assert watch.tails.lag_records(SOURCE) == {"payments": 6}
        assert watch.tails.lag_records(MIRROR) == {"primary.payments": 0}

    def test_ends(self, online):
        """Ends are by slot, in all logs, read or not."""
        online.produce(0, 1, 3)
        watch = online.watch()
        watch.tails.open()
        ends = watch.take_ends(Reads())
        numbers = {slot: (p.topic, p.number) for slot, p in enumerate(watch.table.partitions)}
        assert {numbers[slot]: end for slot, end in enumerate(ends.tolist()) if end} == {
            ("payments", 0): 2,
            ("payments", 1): 1,
        }

    def test_brokers_away(self, online):
        """Without an answer there are no ends, an error is counted once, and the log is down."""
        watch = online.watch()
        watch.tails.open()
        online.destination.stop()
        reads = Reads()
        assert watch.take_ends(reads) is None
        assert watch.take_ends(reads) is None
        assert reads.errors == {MIRROR: ["unreachable"]}
        assert (watch.tails.is_up(SOURCE), watch.tails.is_up(MIRROR)) == (True, False)

    def test_coverage(self, online):
        """A log read from offset 0 is covered from its beginning."""
        watch = online.watch()
        watch.tails.open()
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


class TestRestore:
    def test_a_replay_concludes_what_it_concluded_then(self, online):
        """Other rules, or another cycle than the one that was stored, must not go on as if nothing was."""
        online.produce(*range(9), 4)
        online.mirror(*range(9), 7)
        watch = online.watch()
        before = watch.checkpoint()
        watch.tails.open()
        Cycles(watch).until_quiet()
        saved = SavedState(before.state, before.partitions)
        again = online.watch()
        again.restore(saved, watch.entries, watch.saved())
        assert equal(again.ledger.export(whole=True).small, watch.ledger.export(whole=True).small)
        judged = next(at for at, entry in enumerate(watch.entries) if len(entry.cycle.records[0]))
        entries = list(watch.entries)
        entries[judged] = replace(entries[judged], outcome=entries[judged].outcome ^ 1)
        with pytest.raises(StoreDamagedError, match="comes out otherwise"):
            online.watch().restore(saved, entries, watch.saved())
