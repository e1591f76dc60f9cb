"""What one cycle's judgements add up to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dupscope.model.finding import Finding, Origin, Reason
from dupscope.model.layer import Layer


@dataclass(slots=True)
class Outcome:
    """Increments, by stage name, and the findings that they rest on."""

    findings: list[Finding] = field(default_factory=list)
    unverified: Counter[tuple[Layer, str, Reason]] = field(default_factory=Counter)
    intended: Counter[tuple[Layer, str, str]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    extra_effects: Counter[tuple[str, Origin]] = field(default_factory=Counter)
    extra_copies: Counter[str] = field(default_factory=Counter)
    delays_seconds: list[tuple[Layer, str, float]] = field(default_factory=list)
    closed: list[dict[str, object]] = field(default_factory=list)
