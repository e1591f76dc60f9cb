"""What is known of a finding's cause from the finding alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.causes.explain import explain
from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer
from dupscope.model.position import Position

HERE = Position("c", "id", "payments", 3, 42)
BEFORE = Position("c", "id", "payments", 3, 17)
ELSEWHERE = Position("c", "id", "payments", 4, 17)

FINDING = Finding(
    id="5f1d",
    pipeline="payments",
    layer=Layer.PRODUCE,
    stage="source",
    topic="payments",
    kind=Kind.IDENTICAL,
    position=HERE,
    first=BEFORE,
    fingerprint="00ff",
    detected_at=2.0,
    timestamp=1.0,
)

PREVENTABLE = [
    (Layer.PRODUCE, Kind.IDENTICAL, BEFORE, None, "may be a retry of one session to one partition"),
    (Layer.PRODUCE, Kind.IDENTICAL, None, None, "where the original lies is not known"),
    (Layer.PRODUCE, Kind.IDENTICAL, ELSEWHERE, False, "sequence numbers are per partition"),
    (Layer.PRODUCE, Kind.CONFLICTING, BEFORE, False, "a retry sends the same bytes"),
    (Layer.MIRROR, Kind.IDENTICAL, BEFORE, False, "the mirror is another producer, and reads again"),
    (Layer.MIRROR, Kind.CONFLICTING, BEFORE, False, "nor does it help against another payload"),
    (Layer.CONSUME, Kind.IDENTICAL, HERE, False, "a consumer's second effect is no record at all"),
]


class TestExplain:
    @pytest.mark.parametrize(("layer", "kind", "first", "prevented", "why"), PREVENTABLE)
    def test_idempotence_would_prevent(self, layer, kind, first, prevented, why):
        """False where that is certain; None, never True, while it depends on evidence not collected."""
        found = explain(replace(FINDING, layer=layer, kind=kind, first=first))
        assert found.idempotence_would_prevent is prevented, why

    @pytest.mark.parametrize(
        ("layer", "missing"),
        [
            (Layer.PRODUCE, ("batch_header",)),
            (Layer.MIRROR, ("mirror_offset_syncs", "batch_header")),
            (Layer.CONSUME, ("group_history",)),
        ],
    )
    def test_missing_evidence(self, layer, missing):
        """An unknown cause says which evidence would name it."""
        found = explain(replace(FINDING, layer=layer))
        assert found.cause == "unknown"
        assert found.missing_evidence == missing

    def test_nothing_else_changes(self):
        """The id and every other field stay as the ledger gave them."""
        found = explain(FINDING)
        undone = replace(
            found,
            cause=FINDING.cause,
            missing_evidence=FINDING.missing_evidence,
            idempotence_would_prevent=FINDING.idempotence_would_prevent,
        )
        assert undone == FINDING
