"""What a pipeline's window costs in memory at a rate of records."""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.app.check_report import Level, Section, show_bytes, show_limit, show_seconds
from dupscope.config.settings import PipelineSettings
from dupscope.ledger.rows import bytes_per_key


@dataclass(frozen=True, slots=True)
class Cost:
    """Keys come at `records_per_second` (if each record has a key of its own) and stay for the window."""

    records_per_second: float
    window_seconds: float
    key_bytes: int

    @property
    def bytes_per_second(self) -> float:
        """By how much the memory held grows until the window is full."""
        return self.records_per_second * self.key_bytes

    @property
    def needed_bytes(self) -> float:
        """Memory for a full window."""
        return self.bytes_per_second * self.window_seconds


def cost(pipeline: PipelineSettings, records_per_second: float) -> Cost:
    """What a pipeline needs when its source has this rate."""
    return Cost(records_per_second, pipeline.window_seconds, bytes_per_key(pipeline.topology))


def tell(costs: dict[str, Cost], memory_bytes: int, section: Section) -> None:
    """Say for each pipeline what its window needs, and for all whether the limit covers it."""
    growth = sum(each.bytes_per_second for each in costs.values())
    for name, each in costs.items():
        if not each.records_per_second:
            section.add(Level.NOTE, name, "no record came while the rate was measured: the cost is unknown")
            continue
        covers = memory_bytes / growth
        text = f"{_rate(each)}: {show_seconds(each.window_seconds)} need {show_bytes(each.needed_bytes)}"
        if covers >= each.window_seconds:
            section.add(Level.OK, name, f"{text} of {show_limit(memory_bytes)}")
            continue
        shared = " for all pipelines" if len(costs) > 1 else ""
        text += f"; limit {show_limit(memory_bytes)}{shared} covers {show_seconds(covers)}"
        section.add(Level.WARNING, name, f"{text}: raise limits.memory or shorten the window")


def _rate(each: Cost) -> str:
    digits = 0 if each.records_per_second >= 10 else 1  # noqa: PLR2004 - one decimal for slow topics
    return f"{each.records_per_second:,.{digits}f} records/s"
