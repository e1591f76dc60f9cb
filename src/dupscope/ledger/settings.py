"""What the ledger of one pipeline is told."""

from __future__ import annotations

from dataclasses import dataclass

FUTURE_MS = 5 * 60 * 1000
"""Timestamps further ahead of the clock than this say nothing about how far a log has been read."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Durations in milliseconds.

    `memory_bytes` bounds rows and cases together; `case_limit` the copies, and the effects, of one case.
    `keep_lines`: forgotten cases leave their line for the ledger file. `block_rows` rows are stored together.
    At least `freed_rows` are freed together, and four times as many always fit.
    """

    window_ms: int = 24 * 3600 * 1000
    margin_ms: int = 10 * 60 * 1000
    memory_bytes: int = 1 << 30
    case_limit: int = 1000
    keep_lines: bool = False
    block_rows: int = 1 << 15
    freed_rows: int = 256
