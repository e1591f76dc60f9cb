"""What a ledger holds, as plain values: exported for a store, and restored."""

from __future__ import annotations

from dataclasses import dataclass

from dupscope.model.plain import Plain


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The state of a ledger. Rows are referred to by number, which stays when the ring has another size.

    small   everything but rows and cases; always whole
    blocks  by number: the rows of a block and the cases that have their place in it; only those blocks that
            changed since the last export, or all
    held    numbers of the blocks that hold rows; any other is forgotten
    """

    small: dict[str, Plain]
    blocks: dict[int, dict[str, Plain]]
    held: range
