"""What the windows of all pipelines cost at a rate of records: memory, disk, and time at a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dupscope.app.check_report import Level, Section, show_bytes, show_limit, show_seconds
from dupscope.app.limits import Shares
from dupscope.config.settings import Limits, PipelineSettings
from dupscope.ledger.holdings import ROWS_SHARE
from dupscope.ledger.rows import bytes_per_key

REBUILT_KEYS_A_SECOND = 2_000_000
"""With the longest journal. Without one it is twice that (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Keys come at `records_per_second` (if each record has a key of its own) and stay for the window."""

    records_per_second: float
    window_seconds: float
    key_bytes: int

    @property
    def bytes_per_second(self) -> float:
        """By how much the limit must grow for each second of the window: keys may have a part of it only."""
        return self.records_per_second * self.key_bytes / ROWS_SHARE

    @property
    def needed_bytes(self) -> float:
        """The limit for a full window."""
        return self.bytes_per_second * self.window_seconds


Costs = Mapping[str, Cost]


def cost(pipeline: PipelineSettings, records_per_second: float) -> Cost:
    """What a pipeline needs when its source has this rate."""
    return Cost(records_per_second, pipeline.window_seconds, bytes_per_key(pipeline.topology))


def tell(costs: Costs, limits: Limits, share: Shares, section: Section) -> None:
    """Say for each pipeline what its window needs, and for all whether the limits cover it."""
    for name, each in costs.items():
        if each.records_per_second:
            _tell_memory(name, costs, limits.memory_bytes, section)
        else:
            section.add(Level.NOTE, name, "no record came while the rate was measured: the cost is unknown")
    needed = min(sum(each.needed_bytes for each in costs.values()), limits.memory_bytes)
    if needed:
        _tell_disk(int(needed), limits.disk_bytes, share, section)
        _tell_restart(costs, min(needed, share.ledger_bytes), section)


def _tell_memory(name: str, costs: Costs, memory_bytes: int, section: Section) -> None:
    each = costs[name]
    covers = memory_bytes / sum(one.bytes_per_second for one in costs.values())
    text = f"{_rate(each)}: {show_seconds(each.window_seconds)} need {show_bytes(each.needed_bytes)}"
    if covers >= each.window_seconds:
        section.add(Level.OK, name, f"{text} of {show_limit(memory_bytes)}")
        return
    shared = " for all pipelines" if len(costs) > 1 else ""
    text += f"; limit {show_limit(memory_bytes)}{shared} covers {show_seconds(covers)}"
    section.add(Level.WARNING, name, f"{text}: raise limits.memory or shorten the window")


def _tell_disk(needed_bytes: int, disk_bytes: int, share: Shares, section: Section) -> None:
    takes = replace(share, ledger_bytes=needed_bytes).disk_bytes
    text = f"state.path takes up to {show_bytes(takes)}"
    if needed_bytes <= share.ledger_bytes:
        section.add(Level.OK, "disk", f"{text} of {show_limit(disk_bytes)}")
        return
    held = share.ledger_bytes / needed_bytes
    text += f"; limit {show_limit(disk_bytes)} has room for {held:.0%} of the keys"
    section.add(Level.WARNING, "disk", f"{text}: raise limits.disk")


def _tell_restart(costs: Costs, held_bytes: float, section: Section) -> None:
    full = sum(each.records_per_second * each.window_seconds for each in costs.values())
    keys = full * min(1.0, held_bytes / sum(each.needed_bytes for each in costs.values()))
    seconds = show_seconds(keys / REBUILT_KEYS_A_SECOND)
    section.add(Level.OK, "restart", f"{keys:,.0f} keys are read again in {seconds}, ready after that")


def _rate(each: Cost) -> str:
    digits = 0 if each.records_per_second >= 10 else 1  # noqa: PLR2004 - one decimal for slow topics
    return f"{each.records_per_second:,.{digits}f} records/s"
