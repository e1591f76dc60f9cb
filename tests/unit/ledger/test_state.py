from __future__ import annotations

import pytest

from dupscope.ledger.state import LazyBlocks


class TestLazyBlocks:
    def test_made_when_asked_for(self):
        """In the order of their numbers, each when it is needed."""
        made = []

        def make(number: int) -> dict:
            made.append(number)
            return {"first": number}

        blocks = LazyBlocks({4, 2}, make)
        assert (list(blocks), len(blocks), made) == ([2, 4], 2, [])
        assert blocks[4] == {"first": 4}
        assert made == [4]

    def test_others_are_not_there(self):
        with pytest.raises(KeyError):
            LazyBlocks([1], lambda _: {})[2]
