from __future__ import annotations

from dupscope.ledger.case import CASE_BYTES, COPY_BYTES, Case
from unit.ledger.cases import Desk
from unit.ledger.world import NOW


class TestCase:
    def test_its_bytes_grow_with_copies_and_effects(self):
        desk = Desk().source().mirror()
        desk.effect(None)
        assert desk.case.nbytes == CASE_BYTES + 3 * COPY_BYTES

    def test_its_age_is_that_of_its_latest_copy(self):
        desk = Desk().source(at=9).mirror(at=3).effect(None, at=100)
        assert desk.case.last_timestamp == NOW + 9

    def test_without_copies_the_latest_effect_counts(self):
        assert Desk().effect(None, at=100).case.last_timestamp == NOW + 100
        assert Case(1, 2).last_timestamp == 0

    def test_its_fingerprint_is_shown_with_leading_zeros(self):
        assert Case(1, 255).fingerprint == "0" * 15 + "1" + "0" * 14 + "ff"
