"""What was planted, from the lists of the producer, the mirror and the charge server. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dupscope.model.errors import DupscopeError
from dupscope.model.layer import Layer

Line = Mapping[str, Any]

Counts = Mapping[Layer, int]
"""A number for each layer, or for each origin of an extra charge: they have the same names."""


class ContradictionError(DupscopeError):
    """The demo's own lists do not fit together, so that nothing can be said about what was planted."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One charge too many: which layer is to blame, and the amount in cents."""

    origin: Layer
    cents: int


@dataclass(frozen=True)
class Planted:
    """Everything that is known without dupscope."""

    payments: int
    sent: int
    copied: int
    charged: int
    duplicates: Counts
    extra: tuple[Extra, ...]

    @property
    def effects(self) -> Counts:
        """Charges beyond each payment's first, by origin."""
        return {layer: sum(extra.origin is layer for extra in self.extra) for layer in Layer}

    @property
    def cents(self) -> int:
        """Money taken without a reason."""
        return sum(extra.cents for extra in self.extra)


def planted(sent: Sequence[Line], copied: Sequence[Line], charged: Sequence[Line]) -> Planted:
    """Put the three lists together. Raises ContradictionError where they do not fit."""
    payments = len({line["payment_id"] for line in sent})
    duplicates = {
        Layer.PRODUCE: sum(line["again"] for line in sent),
        Layer.MIRROR: len(copied) - len({(line["partition"], line["offset"]) for line in copied}),
        Layer.CONSUME: len(charged) - len({line["reference"] for line in charged}),
    }
    extra = _extra_charges(_makers(sent, copied), charged)
    beyond_first = len(charged) - len({line["payment_id"] for line in charged})
    if len(extra) != beyond_first:
        raise ContradictionError(f"{beyond_first} charges beyond a first, but {len(extra)} have an origin")
    return Planted(payments, len(sent), len(copied), len(charged), duplicates, tuple(extra))


def _makers(sent: Sequence[Line], copied: Sequence[Line]) -> dict[str, Layer | None]:
    """What made each record on the destination, by its position; None: it is the payment's first."""
    second_send = {(line["partition"], line["offset"]): line["again"] for line in sent}
    makers: dict[str, Layer | None] = {}
    seen = set()
    for line in copied:
        origin = line["partition"], line["offset"]
        if origin not in second_send:
            raise ContradictionError(f"the mirror copied {origin}, which the producer never sent")
        maker = Layer.MIRROR if origin in seen else Layer.PRODUCE if second_send[origin] else None
        makers[f"{line['copy_partition']}/{line['copy_offset']}"] = maker
        seen.add(origin)
    return makers


def _extra_charges(makers: Mapping[str, Layer | None], charged: Sequence[Line]) -> list[Extra]:
    """Every charge but the right ones: of a record charged before, or of a record that is one too many."""
    extra = []
    seen = set()
    for line in charged:
        reference = line["reference"]
        if reference not in makers:
            raise ContradictionError(f"{line['charge_id']} is for {reference}, which the mirror never made")
        origin = Layer.CONSUME if reference in seen else makers[reference]
        if origin is not None:
            extra.append(Extra(origin, line["amount"]))
        seen.add(reference)
    return extra
