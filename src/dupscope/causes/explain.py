"""What a finding's own facts prove about its cause. More evidence sources are joined here."""

from __future__ import annotations

from dataclasses import replace

from dupscope.model.finding import Finding, Kind
from dupscope.model.layer import Layer

BATCH_HEADER = "batch_header"
OFFSET_SYNCS = "mirror_offset_syncs"
GROUP_HISTORY = "group_history"

MISSING = {
    Layer.PRODUCE: (BATCH_HEADER,),
    Layer.MIRROR: (OFFSET_SYNCS, BATCH_HEADER),
    Layer.CONSUME: (GROUP_HISTORY,),
}
"""The evidence that would name the mechanism and is not collected in this version."""


def explain(finding: Finding) -> Finding:
    """Name the cause of a finding as far as it is known, and whether idempotence would have prevented it."""
    return replace(
        finding,
        cause="unknown",
        missing_evidence=MISSING[finding.layer],
        idempotence_would_prevent=_idempotence_would_prevent(finding),
    )


def _idempotence_would_prevent(finding: Finding) -> bool | None:
    """False where proven; None where a retry of the producer's client is possible.

    `enable.idempotence` drops a batch that the same producer session sends again to the same partition.
    A mirror and a consumer are other sessions or none; another partition, or another payload, is no retry.
    """
    if finding.layer is not Layer.PRODUCE or finding.kind is Kind.CONFLICTING:
        return False
    if finding.position and finding.first and finding.position.partition != finding.first.partition:
        return False
    return None
