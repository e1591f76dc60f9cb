from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dupscope.app.cli import invoke
from dupscope.app.identity import identity
from dupscope.app.verify import VerifyOptions, verify_file
from dupscope.audit.position import AuditPosition
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.secret import load_or_create
from dupscope.kafka.state import TailState
from dupscope.model.errors import ConfigError, StoreError
from dupscope.model.finding import Finding, Kind, finding_id
from dupscope.model.layer import Layer
from dupscope.model.position import pack
from support.stored import pipeline, plant_finding, remove_finding, store
from support.waiting import wait_until

SOURCE, MIRROR = 0, 1
AT_ONCE = VerifyOptions(100, 1, wait_seconds=0)


class Detected:
    """A state as a detector leaves it that has read all there was; its findings are the test's."""

    def __init__(self, online) -> None:
        self.config = online.config()
        self.folder = self.config.state_path
        self.folder.mkdir()
        self.secret = load_or_create(self.config.fingerprint_key)
        self.watch = online.watch()
        self.watch.tails.open()
        for log in (SOURCE, MIRROR):
            wait_until(lambda log=log: self._is_read(log), 20, "all is read", poll=0)

    @property
    def file(self) -> Path:
        return self.config.file

    def commit(self, *findings: Finding, audit: AuditPosition | None = None, **tails: int) -> None:
        """Commit findings, and where the tails stand."""
        states = [self._state(log, tails.get(name)) for log, name in enumerate(("source", "mirror"))]
        watch = {
            "memory_bytes": 0,
            "tails": [state.tree() for state in states],
            "audits": {0: (audit or AuditPosition()).tree()},
        }
        digest = identity(self.config, "payments", self.secret)
        own = pipeline(digest, watch, list(self.watch.table.partitions))
        store(self.folder, findings, {"payments": own})

    def finding(self, log: int, number: int, offset: int) -> Finding:
        """That the record of a number at an offset is a duplicate."""
        topic = "primary.payments" if log else "payments"
        slot = self.watch.table.find(log, topic, number % 3)
        where = self.watch.table.position(pack(slot, offset))
        stage = "to-dr" if log else "source"
        return Finding(
            id=finding_id("payments", stage, where),
            pipeline="payments",
            layer=Layer.MIRROR if log else Layer.PRODUCE,
            stage=stage,
            topic="payments",
            kind=Kind.IDENTICAL,
            position=where,
            first=None,
            fingerprint=self._fingerprint(number),
            detected_at=1_700_000_000.0,
            timestamp=1_700_000_000.0,
        )

    def _fingerprint(self, number: int) -> str:
        maker = Fingerprinter(self.secret, "payments", self.config.pipelines["payments"].key)
        found = maker.records("payments", [b""], [json.dumps({"id": number}).encode()])
        return f"{int(found.fp_hi[0]):016x}{int(found.fp_lo[0]):016x}"

    def _is_read(self, log: int) -> bool:
        self.watch.tails[log].read(1000, 0.05)
        return self.watch.tails.is_at_end(log)

    def _state(self, log: int, most: int | None) -> TailState:
        state = self.watch.tails[log].state
        if most is None:
            return state
        return replace(state, positions={slot: min(at, most) for slot, at in state.positions.items()})


@pytest.fixture
def detected(online) -> Detected:
    """Six payments, of which the mirror delivered number 4 twice and the producer sent number 3 again."""
    online.produce(*range(6), 3)
    online.mirror(*range(6), 3, 4)
    return Detected(online)


def true_findings(detected: Detected) -> tuple[Finding, Finding]:
    return detected.finding(SOURCE, 3, 2), detected.finding(MIRROR, 4, 2)


def verified(detected: Detected, capsys, options: VerifyOptions = AT_ONCE) -> tuple[int, dict]:
    code = verify_file(detected.file, replace(options, as_json=True))
    return code, json.loads(capsys.readouterr().out)["pipelines"][0]


class TestVerify:
    def test_equal(self, detected, capsys):
        detected.commit(*true_findings(detected))

        code, shown = verified(detected, capsys)

        assert (code, shown["equal"], shown["keys_sampled"], shown["findings_found"]) == (0, True, 6, 2)

    def test_missing(self, detected, capsys):
        produced, mirrored = true_findings(detected)
        detected.commit(produced, mirrored)
        remove_finding(detected.folder, mirrored.id)

        code, shown = verified(detected, capsys)

        assert (code, shown["equal"], [one["id"] for one in shown["missing"]]) == (1, False, [mirrored.id])
        assert (shown["missing"][0]["partition"], shown["missing"][0]["offset"]) == (1, 2)

    def test_false(self, detected, capsys):
        wrong = detected.finding(MIRROR, 5, 1)
        detected.commit(*true_findings(detected))
        plant_finding(detected.folder, wrong)

        code, shown = verified(detected, capsys)

        assert (code, [one["id"] for one in shown["false"]], shown["missing"]) == (1, [wrong.id], [])

    def test_a_sample(self, detected, capsys):
        detected.commit(*true_findings(detected))

        for seed in range(5):
            chosen = replace(AT_ONCE, sample=2, seed=seed)
            code, shown = verified(detected, capsys, chosen)
            assert (code, shown["keys_sampled"], shown["missing"]) == (0, 2, [])
            assert verified(detected, capsys, chosen) == (code, shown)

    def test_what_was_not_read_yet_is_left_out(self, detected, capsys):
        detected.commit(source=2, mirror=2)

        code, shown = verified(detected, capsys)

        assert (code, shown["keys_left_out"]) == (0, {"not_read_yet": 2})

    def test_keys_of_which_nothing_was_read_are_not_sampled(self, detected, capsys):
        detected.commit(source=1, mirror=1)

        code, shown = verified(detected, capsys)

        assert (code, shown["keys_sampled"], shown["keys_compared"]) == (0, 3, 3)

    def test_nothing_to_compare_is_not_equal(self, detected, capsys):
        detected.commit(source=0, mirror=0)

        assert verified(detected, capsys)[0] == 1

    def test_what_is_not_judged_yet_is_left_out(self, online, detected, capsys):
        """The detector read all of a key, and may still wait for what lies above."""
        online.produce(30)
        detected.commit(detected.finding(SOURCE, 3, 2))

        code, shown = verified(detected, capsys)

        assert (code, shown["keys_left_out"]) == (0, {"not_judged_yet": 1})

    def test_a_repeat_in_the_audit_log(self, online, detected, capsys):
        online.audit.write_text(online.effect(2, 0) * 2)
        detected.commit(*true_findings(detected), audit=_whole(online.audit))

        code, shown = verified(detected, capsys)

        assert (code, [one["stage"] for one in shown["missing"]]) == (1, ["charger"])

    def test_an_audit_log_that_is_another_file_now(self, online, detected, capsys):
        online.audit.write_text(online.effect(2, 0) * 2)
        detected.commit(*true_findings(detected), audit=_whole(online.audit))
        online.audit.rename(online.audit.with_suffix(".1"))

        code, shown = verified(detected, capsys)

        assert (code, shown["sinks_left_out"]) == (0, ["charger"])

    def test_it_says_nothing_of_keys(self, detected, capsys):
        detected.commit(detected.finding(MIRROR, 5, 1))

        assert verify_file(detected.file, AT_ONCE) == 1
        shown = capsys.readouterr()
        assert "missing  mirror (to-dr)  primary.payments[1]@2  finding" in shown.out
        assert detected.finding(MIRROR, 5, 1).fingerprint not in shown.out
        assert shown.err == ""

    def test_it_changes_nothing(self, online, detected, capsys):
        """No group is joined or committed to, nothing is produced, no topic made."""
        detected.commit(*true_findings(detected))
        writing = {"Produce": 0, "OffsetCommit": 8, "JoinGroup": 11, "CreateTopics": 19}
        online.source.track_requests()
        online.destination.track_requests()

        assert verified(detected, capsys)[0] == 0
        asked = online.source.requests() | online.destination.requests()
        assert asked
        assert asked.isdisjoint(writing.values())


class TestRefusals:
    def test_without_a_fingerprint_key_none_is_made(self, offline):
        config = offline.config()

        with pytest.raises(ConfigError, match="there is no fingerprint key yet"):
            verify_file(config.file, AT_ONCE)
        assert not config.fingerprint_key.exists()

    def test_without_a_state(self, offline):
        config = offline.config()
        config.state_path.mkdir()
        load_or_create(config.fingerprint_key)

        with pytest.raises(StoreError, match="no state is stored there yet"):
            verify_file(config.file, AT_ONCE)

    def test_a_state_of_another_configuration(self, detected, online):
        detected.commit()
        online.config(key={"json": ["payment"]})

        with pytest.raises(StoreError, match="'dupscope run' must take up this one first"):
            verify_file(detected.file, AT_ONCE)

    def test_a_pipeline_that_does_not_exist(self, offline, capsys):
        config = offline.config()
        config.state_path.mkdir()
        load_or_create(config.fingerprint_key)

        assert invoke(["verify", "-c", str(config.file), "--pipeline", "payment"]) == 2
        assert (
            "--pipeline: there is no pipeline 'payment'; did you mean 'payments'?" in capsys.readouterr().err
        )


def _whole(path: Path) -> AuditPosition:
    found = path.stat()
    return AuditPosition(found.st_size, found.st_dev, found.st_ino)
