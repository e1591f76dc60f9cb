from __future__ import annotations

import pytest

from dupscope.app.demo.planted import ContradictionError, planted
from dupscope.model.layer import Layer

SENT = [
    {"payment_id": "p-1", "partition": 0, "offset": 0, "again": False},
    {"payment_id": "p-2", "partition": 1, "offset": 0, "again": False},
    {"payment_id": "p-1", "partition": 0, "offset": 1, "again": True},
]
COPIED = [
    {"partition": 0, "offset": 0, "copy_partition": 0, "copy_offset": 0},
    {"partition": 1, "offset": 0, "copy_partition": 1, "copy_offset": 0},
    {"partition": 1, "offset": 0, "copy_partition": 1, "copy_offset": 1},
    {"partition": 0, "offset": 1, "copy_partition": 0, "copy_offset": 1},
]


def charges(*made: tuple[str, str, int]) -> list[dict[str, object]]:
    return [
        {"charge_id": f"ch_{number}", "payment_id": payment, "reference": reference, "amount": cents}
        for number, (payment, reference, cents) in enumerate(made)
    ]


CHARGED = charges(
    ("p-1", "0/0", 100), ("p-2", "1/0", 200), ("p-2", "1/0", 200), ("p-2", "1/1", 200), ("p-1", "0/1", 100)
)


class TestPlanted:
    def test_layers(self) -> None:
        """Each layer's number comes from the list of the one that made its duplicates."""
        assert planted(SENT, COPIED, CHARGED).duplicates == {
            Layer.PRODUCE: 1,
            Layer.MIRROR: 1,
            Layer.CONSUME: 1,
        }

    def test_effects(self) -> None:
        """Charges beyond a payment's first are split by what made the record that was charged."""
        truth = planted(SENT, COPIED, CHARGED)
        assert truth.effects == {Layer.PRODUCE: 1, Layer.MIRROR: 1, Layer.CONSUME: 1}
        assert truth.cents == 100 + 200 + 200

    def test_consume_is_per_record(self) -> None:
        """The extra copy of a mirror charged twice is one charge by the mirror and one by the consumer."""
        again = [*CHARGED, *charges(("p-2", "1/1", 200))]
        truth = planted(SENT, COPIED, again)
        assert truth.duplicates[Layer.CONSUME] == 2
        assert truth.effects == {Layer.PRODUCE: 1, Layer.MIRROR: 1, Layer.CONSUME: 2}

    def test_sizes(self) -> None:
        """It also knows how much there was."""
        truth = planted(SENT, COPIED, CHARGED)
        assert (truth.payments, truth.sent, truth.copied, truth.charged) == (2, 3, 4, 5)

    @pytest.mark.parametrize(
        ("sent", "copied", "charged", "problem"),
        [
            (SENT[:2], COPIED, CHARGED, r"the mirror copied \(0, 1\), which the producer never sent"),
            (SENT, COPIED[:3], CHARGED, "ch_4 is for 0/1, which the mirror never made"),
            (SENT, COPIED, CHARGED[1:], "2 charges beyond a first, but 3 have an origin"),
        ],
    )
    def test_contradictions(
        self, sent: list[dict], copied: list[dict], charged: list[dict], problem: str
    ) -> None:
        """Lists that do not fit together say nothing, so they are refused."""
        with pytest.raises(ContradictionError, match=problem):
            planted(sent, copied, charged)
