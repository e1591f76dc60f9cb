from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dupscope.app.verify_state import kept_ms, look
from dupscope.audit.position import AuditPosition
from dupscope.kafka.starts import Beginning
from dupscope.kafka.state import TailState
from dupscope.model.errors import StoreError
from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Partition
from support.stored import pipeline, store

PARTITIONS = [Partition(0, "primary-id", "topic-id", "payments", "payments", 0)]
TAIL = TailState({0: 7}, {0: Beginning(0, None)}, frozenset(), {0: 1})
AUDIT = AuditPosition(5, 1, 2, "")
WATCH = {"memory_bytes": 0, "tails": [TAIL.tree()], "audits": {0: AUDIT.tree()}}


def finding(number: int, **changes: object) -> Finding:
    made = Finding(
        id=f"{number}",
        pipeline="payments",
        layer=Layer.PRODUCE,
        stage="source",
        topic="payments",
        kind=Kind.IDENTICAL,
        position=None,
        first=None,
        fingerprint="ab" * 16,
        detected_at=1000.0 + number,
        timestamp=0.0,
    )
    return replace(made, **changes)


def unverified(reason: str, count: int, name: str = "payments", layer: str = "produce") -> list[object]:
    return ["unverified_total", [name, layer, "a-stage", reason], count]


class TestLook:
    def test_it_is_the_last_commit(self, tmp_path: Path):
        own = {"payments": pipeline("digest", WATCH, PARTITIONS)}
        store(tmp_path, [finding(1)], own)
        store(tmp_path, [finding(2), finding(3, pipeline="orders")], own)

        state = look(tmp_path, "payments")

        assert state.number == 2
        assert (state.saved.identity, state.saved.partitions) == ("digest", PARTITIONS)
        assert (state.saved.tails, state.saved.audits) == ({0: TAIL}, {0: AUDIT.tree()})
        assert state.findings == (finding(1), finding(2))
        assert (state.kept_ms, state.unverified, state.unplaced, state.rotated) == (None, 0, 0, frozenset())

    def test_what_only_the_detector_can_know_is_counted(self, tmp_path: Path):
        totals = [
            unverified("expired", 3),
            unverified("expired", 4),
            unverified("open_transaction", 10),
            unverified("not_in_source", 100),
            unverified("not_in_source", 7, layer="consume"),
            unverified("no_copy", 5, layer="consume"),
            unverified("position_mismatch", 6, layer="consume"),
            unverified("expired", 1000, "orders"),
            ["intended_duplicates_total", ["payments", "produce", "source", "redrive"], 20],
            ["index_evictions_total", ["payments"], 30],
            ["duplicate_gap_seconds", ["payments", "produce", "source"], [[1, 2], 3.0]],
        ]
        store(tmp_path, (), {"payments": pipeline("", WATCH, PARTITIONS)}, totals)

        state = look(tmp_path, "payments")

        assert (state.unverified, state.unplaced) == (4 + 10 + 20 + 30, 5 + 6 + 7)

    def test_a_rotated_audit_log_is_told(self, tmp_path: Path):
        totals = [
            ["audit_invalid_lines_total", ["payments", "charger", "rotated"], 1],
            ["audit_invalid_lines_total", ["payments", "mailer", "rotated"], 0],
            ["audit_invalid_lines_total", ["payments", "mailer", "not_json"], 5],
        ]
        store(tmp_path, (), {"payments": pipeline("", WATCH, PARTITIONS)}, totals)

        assert look(tmp_path, "payments").rotated == {"charger"}

    def test_without_a_state_of_the_pipeline_it_says_so(self, tmp_path: Path):
        store(tmp_path, (), {"payments": pipeline("", WATCH, PARTITIONS)})

        with pytest.raises(StoreError, match="nothing is stored of pipeline 'orders' yet"):
            look(tmp_path, "orders")


class TestKept:
    def test_dropped_findings_are_told_by_the_oldest_that_is_left(self):
        assert kept_ms(1, [finding(5)]) is None
        assert kept_ms(2, [finding(5), finding(6)]) == 1005_000
        assert kept_ms(2, []) is None
