from __future__ import annotations

import numpy as np

from dupscope.model.plain import equal

ONE = {"a": [1, np.array([1, 2])], 2: None}


class TestEqual:
    def test_same_content(self):
        assert equal(ONE, {2: None, "a": [1, np.array([1, 2])]})

    def test_differences(self):
        """In a column, in its length, in a key, in the length of a list, and between kinds."""
        others = [
            {"a": [1, np.array([1, 3])], 2: None},
            {"a": [1, np.array([1])], 2: None},
            {"a": [1, np.array([1, 2])], 3: None},
            {"a": [1], 2: None},
            {"a": [1, [1, 2]], 2: None},
        ]
        assert not any(equal(ONE, other) or equal(other, ONE) for other in others)
