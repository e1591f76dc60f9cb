from __future__ import annotations

import numpy as np

from dupscope.ledger.cycle import padded


class TestPadded:
    def test_missing_slots_count_as_zero(self):
        assert padded(np.array([5]), 3).tolist() == [5, 0, 0]

    def test_a_longer_column_stays_as_it_is(self):
        assert padded(np.array([5, 6]), 1).tolist() == [5, 6]
