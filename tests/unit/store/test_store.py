from __future__ import annotations

import copy
import os
import random
import shutil
import sqlite3
from collections import Counter

import pytest

from dupscope.model.errors import StoreDamagedError, StoreError, StoreUnwritableError
from dupscope.model.layer import Layer
from dupscope.model.plain import equal
from dupscope.store.commit import STEPS
from dupscope.store.database import believed
from dupscope.store.frame import FORMAT, seal, unseal
from dupscope.store.store import Store
from dupscope.telemetry.catalogue import BY_NAME
from dupscope.telemetry.findings import finding_fields
from support.dupscope_process import reported
from support.kept import archives, unpacked
from support.restarts import started
from unit.store.conftest import finding

FLIPS = 80


class Stop(Exception):  # noqa: N818
    """Ends a commit at a step."""


def plain(tree):
    return unseal(seal(tree, "here"), "here")


def restored(store, pipeline):
    """The ledger that a restart would have."""
    contents = store.load()
    saved = contents.state("payments", lambda _: None)
    ledger = pipeline.fresh()
    ledger.restore(saved.state)
    for entry in contents.entries("payments", lambda _: None):
        outcome = ledger.observe(entry.cycle)
        ledger.conclude(entry.cycle, entry.ends, outcome)
    return ledger


def same(one, other) -> bool:
    states = [copy.deepcopy(ledger).export(whole=True) for ledger in (one, other)]
    return equal(plain(states[0].small), plain(states[1].small)) and equal(
        *(plain(dict(state.blocks)) for state in states)
    )


def limited(store) -> None:
    """Leave no space in the database until it is opened again."""
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


class TestCommit:
    def test_what_was_committed_is_there(self, opened, pipeline):
        """Checkpoint and journal; each restart has what the ledger had at the last commit."""
        store = opened()
        store.load()
        for number in range(9):
            pipeline.read(number, 100 + number, number // 2)
            store.commit(pipeline.commit(finding(number), checkpoint=number % 4 == 0))
            store = opened()
            assert same(restored(store, pipeline), pipeline.ledger)
        contents = store.load()
        assert contents.last.number == 9
        assert contents.watch("payments") == {"at": 9}
        assert contents.totals[-1] == ["records_total", ["payments", "source", "payments"], 9.0]
        assert [each.id for each in store.latest(2)] == ["id-8", "id-7"]
        assert [new.finding.id for new in store.unpublished(7)] == ["id-7", "id-8"]
        assert store.known(["id-3", "other"]) == {"id-3"}

    @pytest.mark.parametrize("checkpoint", [False, True], ids=["journal", "checkpoint"])
    @pytest.mark.parametrize("step", [step for step in STEPS if step.startswith("commit.")])
    def test_all_or_nothing(self, opened, pipeline, step, checkpoint):
        """Ended at any step, nothing of it is true, or all."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(checkpoint=True))
        before = restored(opened(), pipeline)

        def stop(reached: str) -> None:
            if reached == step:
                raise Stop

        store = opened(step=stop)
        store.load()
        pipeline.read(1, 3)
        try:
            store.commit(pipeline.commit(finding(1), checkpoint=checkpoint))
            reached = False
        except Stop:
            reached = True
        store = opened()
        done = not reached or step == "commit.done"
        assert same(restored(store, pipeline), pipeline.ledger if done else before)
        assert [each.id for each in store.latest(9)] == (["id-1"] if done else [])

    def test_blocks_that_are_not_held_go(self, opened, pipeline):
        store = opened()
        store.load()
        pipeline.read(*range(40))
        store.commit(pipeline.commit(checkpoint=True))
        pipeline.ledger = pipeline.fresh()
        pipeline.read(1)
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        assert same(restored(opened(), pipeline), pipeline.ledger)

    def test_all_rows_were_freed_before_they_were_stored(self, opened, pipeline):
        """A window that passed in silence: the ring stands within a block that was never written."""
        store = opened()
        store.load()
        store.commit(pipeline.commit(checkpoint=True))
        pipeline.read(*range(3))
        pipeline.ledger.held.rows.free(3)
        store.commit(pipeline.commit(checkpoint=True))
        assert same(restored(opened(), pipeline), pipeline.ledger)
        pipeline.read(7)
        store = opened()
        store.load()
        store.commit(pipeline.commit(checkpoint=True))
        assert same(restored(opened(), pipeline), pipeline.ledger)

    def test_a_removed_pipeline_leaves_nothing_but_findings(self, opened, pipeline):
        store = opened()
        store.load()
        pipeline.read(1)
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        commit = pipeline.commit(checkpoint=True)
        renamed = {"orders": commit.pipelines["payments"]}
        store.commit(type(commit)(2, renamed, [], (), 0))
        contents = opened().load()
        assert contents.pipelines == ["orders"]
        assert contents.configuration("payments") is None
        names = contents.connection.execute("SELECT DISTINCT pipeline FROM blocks").fetchall()
        assert ("payments",) not in names
        store = opened()
        store.load()
        assert [each.id for each in store.latest(9)] == ["id-1"]

    def test_wants_a_checkpoint(self, opened, pipeline):
        """At first, and when the journal has become long."""
        store = opened(journal_bytes=2000)
        store.load()
        assert store.wants_checkpoint
        pipeline.read(1)
        store.commit(pipeline.commit(checkpoint=True))
        assert not store.wants_checkpoint
        while not store.wants_checkpoint:
            pipeline.read(*range(20))
            store.commit(pipeline.commit())
        store.commit(pipeline.commit(checkpoint=True))
        assert not store.wants_checkpoint


class TestUnwritable:
    def test_full_and_again(self, opened, pipeline):
        """A commit for which there is no room changes nothing, and can be repeated."""
        store = opened()
        store.load()
        pipeline.read(1)
        store.commit(pipeline.commit(checkpoint=True))
        pipeline.read(*range(3000))
        commit = pipeline.commit(finding(1))
        limited(store)
        with pytest.raises(StoreUnwritableError, match="full"):
            store.commit(commit)
        store.commit(commit)
        assert same(restored(opened(), pipeline), pipeline.ledger)
        assert len(opened().load().journal) == 1


class TestDamage:
    def test_lost_place(self, opened, pipeline, tmp_path):
        """A folder that was emptied is noticed at the next commit; everything goes into a new store."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(checkpoint=True))
        store.path.unlink()
        pipeline.read(3)
        with pytest.raises(StoreDamagedError, match="not the file any more") as caught:
            store.commit(pipeline.commit())
        assert store.begin_anew(caught.value).findings == []
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        assert store.resets == 1
        assert same(restored(opened(), pipeline), pipeline.ledger)

    def test_lost_folder(self, opened, pipeline, tmp_path):
        """A new one is made, with the lock, and with what else belongs into it."""
        store = opened()
        store.when_begun_anew = lambda: (tmp_path / "key").write_text("secret")
        store.load()
        store.commit(pipeline.commit(checkpoint=True))
        shutil.rmtree(tmp_path)
        with pytest.raises(StoreDamagedError) as caught:
            store.commit(pipeline.commit(checkpoint=True))
        store.begin_anew(caught.value)
        with pytest.raises(StoreError, match="in use by process"):
            Store(tmp_path)
        assert (tmp_path / "key").exists()

    def test_what_is_intact_is_kept(self, opened, pipeline):
        """Findings and counters of a store whose blocks are damaged."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(finding(1), finding(2), checkpoint=True))
        store.close()
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE blocks SET body = zeroblob(length(body))")
        connection.close()
        store = opened()
        contents = store.load()
        with pytest.raises(StoreDamagedError, match="blocks/payments/0: is no stored value") as caught:
            restored(store, pipeline)
        contents.connection.close()
        salvage = store.begin_anew(caught.value)
        assert [new.finding for new in salvage.findings] == [finding(1), finding(2)]
        assert salvage.totals == [["records_total", ["payments", "source", "payments"], 1.0]]
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        assert opened().load().last is not None
        assert store.path.with_name("dupscope.db.damaged").exists()

    @pytest.mark.parametrize("what", ["database", "its first log", "both"])
    def test_gone(self, opened, pipeline, tmp_path, what):
        """Where something was committed before, a database without a commit is no first start."""
        store = opened()
        store.load()
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        killed = tmp_path / "killed"
        shutil.copytree(tmp_path, killed)
        store.close()
        if what != "its first log":
            (killed / "dupscope.db").unlink()
        if what != "database":
            (killed / "dupscope.db-wal").unlink()
        store = Store(killed)
        with pytest.raises(StoreDamagedError, match="is gone, or has lost all commits") as caught:
            store.load()
        store.begin_anew(caught.value)
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        store.close()
        store = Store(killed)
        assert (store.load().last is not None, store.resets) == (True, 1)
        store.close()

    def test_a_first_start_that_was_killed(self, opened):
        """Before anything was committed there is nothing to lose."""
        opened().load()
        store = opened()
        assert store.load().last is None
        assert store.resets == 0

    def test_a_finding_that_is_not_intact(self, opened, pipeline):
        """It alone is lost."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(*map(finding, range(5)), checkpoint=True))
        store.close()
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE findings SET body = zeroblob(9) WHERE seq = 2")
        connection.close()
        store = opened()
        with pytest.raises(StoreDamagedError) as caught:
            store.load()
        salvage = store.begin_anew(caught.value)
        assert [new.finding for new in salvage.findings] == [finding(n) for n in (0, 2, 3, 4)]
        assert salvage.last == 5

    def test_killed_before_the_new_one_has_anything(self, opened, pipeline):
        """What was intact is found again, and it is one reset, however often that happens."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        store.close()
        with sqlite3.connect(store.path) as connection:
            connection.execute("DELETE FROM blocks")
        connection.close()
        store = opened()
        store.begin_anew(StoreDamagedError("a block", "checksum"))
        for touched in (False, True, False):
            store = opened()
            with pytest.raises(StoreDamagedError, match="nothing was committed since") as caught:
                store.load()
            if touched:
                store.known(["id-1"])
            salvage = store.begin_anew(caught.value)
            assert [new.finding for new in salvage.findings] == [finding(1)]
            assert salvage.totals
        assert store.resets == 1
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        assert opened().load().last is not None
        assert opened().resets == 1

    @pytest.mark.parametrize("what", ["removed", "replaced", "folder removed"])
    def test_lost_while_it_could_not_be_written(self, opened, pipeline, tmp_path, what):
        """A new volume in place of a full one: what waited goes with all the rest, never alone."""
        store = opened()
        store.load()
        pipeline.read(1)
        store.commit(pipeline.commit(finding(1), checkpoint=True))
        older = store.path.read_bytes()
        pipeline.read(2)
        store.commit(pipeline.commit())
        pipeline.read(*range(3000))
        commit = pipeline.commit()
        limited(store)
        with pytest.raises(StoreUnwritableError):
            store.commit(commit)
        if what == "folder removed":
            shutil.rmtree(tmp_path)
        else:
            store.path.unlink()
        if what == "replaced":
            store.path.write_bytes(older)
        with pytest.raises(StoreDamagedError) as caught:
            store.commit(commit)
        store.begin_anew(caught.value)
        store.commit(pipeline.commit(checkpoint=True, whole=True))
        assert same(restored(opened(), pipeline), pipeline.ledger)

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ("DELETE FROM journal WHERE seq = 2", "journal: 2 should follow, not 3"),
            ("DELETE FROM findings WHERE seq = 1", "findings: 1 to 3 should be there"),
            ("DELETE FROM blocks", "is no stored value"),
            ("UPDATE journal SET head = body WHERE seq = 3", "journal/3: its checksum"),
            ("UPDATE findings SET detected_ms = 5", "its checksum does not fit"),
            (
                "UPDATE meta SET body = zeroblob(9) WHERE name = 'checkpoint'",
                "checkpoint: is no stored value",
            ),
        ],
    )
    def test_rows_that_are_not_as_they_were(self, opened, pipeline, change, problem):
        """Missing, moved or changed rows are noticed before anything is believed."""
        store = opened()
        store.load()
        for number in range(3):
            pipeline.read(number)
            store.commit(pipeline.commit(finding(number), checkpoint=not number))
        store.close()
        with sqlite3.connect(store.path) as connection:
            connection.execute(change)
        connection.close()
        with pytest.raises(StoreDamagedError, match=problem):
            restored(opened(), pipeline)

    def test_an_older_block(self, opened, pipeline):
        """A block that is intact, but of an earlier checkpoint."""
        store = opened()
        store.load()
        pipeline.read(1, 2)
        store.commit(pipeline.commit(checkpoint=True))
        old = store._connection.execute("SELECT body FROM blocks").fetchone()[0]
        pipeline.read(1, 2)
        store.commit(pipeline.commit(checkpoint=True))
        store.close()
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE blocks SET body = ?", (old,))
        connection.close()
        with pytest.raises(StoreDamagedError, match="not the one of the last checkpoint"):
            restored(opened(), pipeline)


class TestRandomDamage:
    def test_never_something_else(self, opened, pipeline, tmp_path):
        """After any flipped byte the same content is read, or it is said that it is damaged."""
        store = opened()
        store.load()
        for number in range(6):
            pipeline.read(*range(number, 30 * number, 3))
            store.commit(pipeline.commit(finding(number), checkpoint=number % 3 == 0))
        store.close()
        whole = store.path.read_bytes()
        truth = opened()
        expected, findings = restored(truth, pipeline), truth.latest(99)
        totals = truth.load().totals
        noticed, written = 0, [at for at, byte in enumerate(whole) if byte]
        for _ in range(FLIPS):
            at, bit = random.choice(written), 1 << random.randrange(8)
            truth.close()
            for suffix in ("-wal", "-shm"):
                store.path.with_name(store.path.name + suffix).unlink(missing_ok=True)
            store.path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            truth = opened()
            try:
                with believed(store.path):
                    ledger = restored(truth, pipeline)
                assert truth.load().totals == totals, at
                assert truth.latest(99) == findings, at
                assert same(ledger, expected), at
            except (StoreDamagedError, StoreError):
                noticed += 1
        assert noticed > FLIPS / 4


class TestPlace:
    def test_only_one(self, opened, tmp_path):
        opened().load()
        with pytest.raises(StoreError, match=f"process {os.getpid()}"):
            Store(tmp_path)

    def test_bytes(self, opened, pipeline):
        store = opened()
        assert store.nbytes == 0
        store.load()
        store.commit(pipeline.commit(checkpoint=True))
        assert store.nbytes > 4096
        shutil.rmtree(store.path.parent)
        assert store.nbytes == 0


class TestKept:
    """A folder of each released format is opened by the program as it is now."""

    @pytest.mark.parametrize("archive", archives(), ids=lambda path: f"{path.parent.name}-{path.name}")
    def test_goes_on(self, archive, tmp_path):
        """Counters, findings and keys are those of the traffic that it comes from; nothing begins anew."""
        kept = unpacked(archive, tmp_path)
        with started(kept.config, kept.folder, secret=kept.secret) as start:
            assert start.restored.salvage is None
            assert start.store.resets == 0
            counted = {
                (
                    f"dupscope_{name}",
                    frozenset(zip(BY_NAME[name].labels, map(str, labels), strict=True)),
                ): value
                for (name, labels), value in start.counted.items()
            }
            assert {name: counted.get(name) for name in kept.counted} == kept.counted
            found = Counter(
                reported(finding_fields(each), "first_" if each.layer is Layer.CONSUME else "")
                for each in start.findings
            )
            assert found == kept.findings
            (watch,) = start.restored.watches
            assert len(watch.ledger.held.rows) == kept.keys
            assert watch.is_stored

    def test_of_each_format(self):
        """What this version writes is kept as well."""
        assert {path.parent.name for path in archives()} == {f"format-{n}" for n in range(1, FORMAT + 1)}
