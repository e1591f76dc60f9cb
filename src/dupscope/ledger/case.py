"""A key that left the norm: all its copies and effects, and what was already concluded from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dupscope.model.finding import Origin, Reason

COPY_BYTES = 240
"""Roughly what a copy or an effect costs in a case, with its share of lists and sets."""
CASE_BYTES = 900


@dataclass(slots=True, eq=False)
class Copy:
    """One record. What was concluded stays: `excess` and `unverified` take it out of later pairing.

    counted   extra copies counted for a sink, kept at the original of the case
    twin      the upstream copy that this one stays paired with, since a finding rests on the pair
    missing   bit set of the mirrors in which this copy was judged missing
    recovered bit set of the mirrors that delivered it after that
    lacking   sinks that went past the case without an effect, kept at one source copy of it
    redriven  the record says of itself that it is an intended replay
    intended  why this duplicate was meant, where it was
    """

    log: int
    position: int
    timestamp: int
    content: int
    excess: bool = False
    reported: bool = False
    unverified: Reason | None = None
    missing: int = 0
    recovered: int = 0
    counted: dict[int, int] | None = None
    twin: Copy | None = None
    redriven: bool = False
    intended: str | None = None
    lacking: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Effect:
    """One side effect. `position` 0 and `effect_id` 0 mean: the line has none.

    `cycle` is the one in which the line was read. `origin` is set once it counts as an extra effect.
    `home` is the original of the case that it was judged in, where it has no position: it stays there.
    `intended` says why this duplicate was meant, where it was.
    """

    sink: int
    position: int
    at: int
    effect_id: int
    cycle: int
    origin: Origin | None = None
    duplicate: bool = False
    unverified: Reason | None = None
    home: Copy | None = None
    intended: str | None = None


@dataclass(slots=True, eq=False)
class Case:
    """All copies and effects of one fingerprint. Windows are cut when it is judged.

    `hot` is set once it holds as many copies or effects as allowed: from then on nothing downstream is
    judged; `pruned_below` is the edge at which dropping old windows was tried last. `slot` is that of its
    row, -1 once the case is closed; `serial` rises in the order in which cases took their places. `suspects`
    are the stages (logs by index, sinks by -1 - index) that wait for a barrier.
    """

    fp_hi: int
    fp_lo: int
    copies: list[Copy] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    slot: int = -1
    serial: int = 0
    reported: set[str] = field(default_factory=set)
    newest_copy: int = 0
    newest_effect: int = 0
    hot: bool = False
    pruned_below: int | None = None
    suspects: frozenset[int] = frozenset()

    @property
    def nbytes(self) -> int:
        """Roughly the memory that the case takes."""
        return CASE_BYTES + COPY_BYTES * (len(self.copies) + len(self.effects))

    def add(self, item: Copy | Effect) -> None:
        """Take in one more copy or effect."""
        if isinstance(item, Copy):
            self.copies.append(item)
            self.newest_copy = max(self.newest_copy, item.timestamp)
        else:
            self.effects.append(item)
            self.newest_effect = max(self.newest_effect, item.at)

    @property
    def last_timestamp(self) -> int:
        """The latest timestamp of a copy, or of an effect while there is no copy."""
        return self.newest_copy if self.copies else self.newest_effect

    @property
    def fingerprint(self) -> str:
        """The fingerprint in hex."""
        return f"{self.fp_hi:016x}{self.fp_lo:016x}"
