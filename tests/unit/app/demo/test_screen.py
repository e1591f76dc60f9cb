from __future__ import annotations

from dataclasses import replace

import pytest

from dupscope.app.demo.planted import Extra, Planted
from dupscope.app.demo.reported import Reported
from dupscope.app.demo.screen import DIFFERENCE, OPENING, agree, euros, last_screen, plain
from dupscope.model.layer import Layer

COUNTS = {Layer.PRODUCE: 1, Layer.MIRROR: 2, Layer.CONSUME: 1}
TRUTH = Planted(
    payments=3000,
    sent=3001,
    copied=3003,
    charged=3004,
    duplicates=COUNTS,
    extra=tuple(Extra(layer, 250) for layer, count in COUNTS.items() for _ in range(count)),
)
SAID = Reported(COUNTS, COUNTS, 0)
SWAPPED = {Layer.PRODUCE: 2, Layer.MIRROR: 1, Layer.CONSUME: 1}


class TestAgree:
    def test_equal(self) -> None:
        """Equal numbers everywhere agree."""
        assert agree(TRUTH, SAID)

    @pytest.mark.parametrize("said", [replace(SAID, duplicates=SWAPPED), replace(SAID, effects=SWAPPED)])
    def test_equal_sums_are_not_enough(self, said: Reported) -> None:
        """Each layer and each origin counts."""
        assert not agree(TRUTH, said)


class TestLastScreen:
    def test_fits_a_terminal(self) -> None:
        """With the prompt below it, it fits into 80 columns and 24 lines."""
        lines = last_screen(TRUTH, SAID).splitlines()
        assert len(lines) <= 23
        assert max(map(len, [*lines, *OPENING.splitlines()])) < 80

    def test_a_command_that_no_shell_finds_is_put_on_the_path(self):
        assert "  export PATH=$PWD/.venv/bin:$PATH\n  dupscope keys" in last_screen(
            TRUTH, SAID, "$PWD/.venv/bin"
        )
        assert "PATH" not in last_screen(TRUTH, SAID)

    def test_rows(self) -> None:
        """Each layer has its planted and its reported number."""
        rows = {line.split()[0]: line.split()[-3:] for line in last_screen(TRUTH, SAID).splitlines() if line}
        assert rows["mirror"] == ["2", "2", "equal"]
        assert rows["charges"] == ["4", "4", "equal"]

    def test_columns(self) -> None:
        """Numbers stand below each other, also where something differs."""
        text = last_screen(TRUTH, replace(SAID, duplicates=SWAPPED))
        rows = [line for line in text.splitlines() if line.endswith(("equal", "DIFFERS"))]
        assert len({row.rindex(" ") for row in rows}) == 1
        assert max(map(len, rows)) < 80

    def test_cost(self) -> None:
        """It says what customers felt, in number and in money."""
        assert "charged\n4 times too often, 10.00 EUR" in last_screen(TRUTH, SAID)

    def test_difference(self) -> None:
        """What differs is marked, also where only the sum is equal, and named a defect."""
        text = last_screen(TRUTH, Reported(SWAPPED, SWAPPED, 0))
        assert text.count("DIFFERS") == 3
        assert text.endswith(DIFFERENCE)
        assert DIFFERENCE not in last_screen(TRUTH, SAID)


class TestPlain:
    def test_layers(self) -> None:
        """The object has both sides by layer, and both sides of the effects by origin."""
        found = plain(TRUTH, SAID, {"judged": 1.26})
        assert found["planted"] == found["reported"] == {"produce": 1, "mirror": 2, "consume": 1}
        assert found["effects"] == {"planted": found["planted"], "reported": found["planted"], "cents": 1000}
        assert found["seconds"] == {"judged": 1.3}
        assert found["equal"] is True


class TestEuros:
    def test_cents(self) -> None:
        """Thousands are set apart, cents have two digits."""
        assert euros(123_405) == "1,234.05 EUR"
