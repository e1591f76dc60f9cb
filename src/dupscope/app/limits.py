"""What `limits` leave for each part of the state: keys, journal, findings."""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.config.settings import Config
from dupscope.store.findings import KEPT_FINDINGS
from dupscope.store.store import JOURNAL_SHARE

FINDING_BYTES = 800
"""A finding with its places in the indexes of its table."""

WORKING_BYTES = 64 << 20
"""The write-ahead log at rest (32 MiB), and what one long commit adds to log and journal."""

PART = 8
"""Findings get at most one part in so many of the disk, a short journal another."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each part may take.

    ledger_bytes  rows and cases of all pipelines, by their size in memory; stored they take no more
    journal_bytes how long the journal may be, however little is stored
    findings      how many are kept
    """

    ledger_bytes: int
    journal_bytes: int
    findings: int

    @property
    def disk_bytes(self) -> int:
        """The most that the state folder takes.

        While a checkpoint is written, what it holds lies in the file and in the write-ahead log.
        """
        journal = max(self.journal_bytes, int(self.ledger_bytes * JOURNAL_SHARE))
        return 2 * self.ledger_bytes + journal + self.findings * FINDING_BYTES + WORKING_BYTES


def shares(config: Config) -> Shares:
    """The shares of a configuration: as many keys as both memory and disk allow."""
    disk = config.limits.disk_bytes
    findings = min(KEPT_FINDINGS, disk // PART // FINDING_BYTES)
    journal = min(config.journal_bytes, disk // PART)
    rest = disk - findings * FINDING_BYTES - WORKING_BYTES
    by_disk = int(min((rest - journal) / 2, rest / (2 + JOURNAL_SHARE)))
    return Shares(min(config.limits.memory_bytes, by_disk), journal, findings)
