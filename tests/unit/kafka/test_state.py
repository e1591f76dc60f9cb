from __future__ import annotations

import msgspec

from dupscope.kafka.starts import Beginning
from dupscope.kafka.state import TailState

WHOLE = TailState(
    {0: 7, 3: 0},
    {0: Beginning(2, 1_700_000_000_000), 1: Beginning(5, 99), 3: Beginning(0, None, provisional=True)},
    frozenset({1, 2}),
    {0: 1_700_000_000_500},
    {0: 6},
    frozenset({0}),
    ((0, "log_start_moved"), (1, "topic_deleted")),
    was_opened=False,
)


class TestTailState:
    def test_nothing_of_it_is_lost_as_plain_values(self):
        for state in (WHOLE, TailState({}, {}, frozenset(), {})):
            stored = msgspec.msgpack.encode(state.tree())
            assert TailState.from_tree(msgspec.msgpack.decode(stored)) == state

    def test_the_tree_names_every_field(self):
        assert set(WHOLE.tree()) == set(TailState.__slots__)
