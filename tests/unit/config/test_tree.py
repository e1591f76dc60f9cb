from __future__ import annotations

import msgspec
import pytest

from dupscope.config import tree
from dupscope.config.reader import LATER, hints, unwrap

NODES = [node for node in vars(tree).values() if isinstance(node, type) and issubclass(node, tree.Node)]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
class TestNodes:
    def test_every_key_is_described(self, node):
        for field in msgspec.structs.fields(node):
            _, meta = unwrap(hints(node)[field.name])
            assert meta.description, field.name

    def test_every_required_key_has_an_example_for_the_message_that_it_is_missing(self, node):
        for field in msgspec.structs.fields(node):
            _, meta = unwrap(hints(node)[field.name])
            assert meta.examples or not field.required, field.name


class TestLater:
    def test_no_key_is_both_known_and_refused_for_now(self):
        known = {
            (node.__name__, field.encode_name) for node in NODES for field in msgspec.structs.fields(node)
        }

        assert not known & LATER.keys()
