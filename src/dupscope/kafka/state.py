"""What of a tail must survive the process that reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dupscope.kafka.starts import Beginning
from dupscope.model.plain import Plain


@dataclass(frozen=True, slots=True)
class TailState:
    """Where a tail stands, by partition slot. Goes with the table that numbers the slots.

    positions   next offset of each slot that is read
    beginnings  where reading began, and since when that covers; also of slots that were retired
    retired     slots of incarnations that are over
    newest_ms   timestamp of the last record below the position, where one was read
    gap_starts  the first offset of the span without a record that reaches up to the position, where one does
    compacted   slots whose topic was compacted when that was last asked
    holes       lost positions that no read has told yet, with their reasons
    was_opened  whether the log was ever open: what is found beside its partitions was added since
    """

    positions: dict[int, int]
    beginnings: dict[int, Beginning]
    retired: frozenset[int]
    newest_ms: dict[int, int]
    gap_starts: dict[int, int] = field(default_factory=dict)
    compacted: frozenset[int] = frozenset()
    holes: tuple[tuple[int, str], ...] = ()
    was_opened: bool = True

    def tree(self) -> dict[str, Plain]:
        """The state as plain values."""
        return {
            "positions": self.positions,
            "beginnings": {
                slot: [begun.offset, begun.covered_since_ms, begun.provisional]
                for slot, begun in self.beginnings.items()
            },
            "retired": sorted(self.retired),
            "newest_ms": self.newest_ms,
            "gap_starts": self.gap_starts,
            "compacted": sorted(self.compacted),
            "holes": [list(hole) for hole in self.holes],
            "was_opened": self.was_opened,
        }

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> TailState:
        """The state that a tree was made of."""
        return cls(
            dict(tree["positions"]),
            {slot: Beginning(*begun) for slot, begun in tree["beginnings"].items()},
            frozenset(tree["retired"]),
            dict(tree["newest_ms"]),
            dict(tree["gap_starts"]),
            frozenset(tree["compacted"]),
            tuple((slot, why) for slot, why in tree["holes"]),
            tree["was_opened"],
        )
