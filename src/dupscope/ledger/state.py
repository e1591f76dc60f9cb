"""What a ledger holds, as plain values: exported for a store, and restored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from dupscope.model.plain import Plain

Block = dict[str, Plain]


class LazyBlocks(Mapping[int, Block]):
    """Blocks by number, each made when it is asked for: all of them together are as large as the ledger."""

    def __init__(self, numbers: Collection[int], make: Callable[[int], Block]) -> None:
        self._numbers = sorted(numbers)
        self._make = make

    def __getitem__(self, number: int) -> Block:
        if number not in self._numbers:
            raise KeyError(number)
        return self._make(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The state of a ledger. Rows are referred to by number, which stays when the ring has another size.

    small   everything but rows and cases; always whole
    blocks  by number: the rows of a block and the cases that have their place in it; only those blocks that
            changed since the last export, or all. Good until the ledger's next cycle
    held    numbers of the blocks that hold rows; any other is forgotten
    """

    small: dict[str, Plain]
    blocks: Mapping[int, Block]
    held: range
