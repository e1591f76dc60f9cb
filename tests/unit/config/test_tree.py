from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dupscope.config import tree
from dupscope.config.load import load
from dupscope.config.reader import hints, unwrap

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
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


class TestDocumentation:
    def test_the_page_is_that_of_the_tree(self):
        script = ROOT / "scripts" / "docs_config.py"

        done = subprocess.run(
            [sys.executable, script, "--check"], capture_output=True, text=True, check=False
        )

        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
    def test_every_example_is_a_valid_configuration_and_on_the_page(self, example):
        config = load(example, {})

        assert [*config.pipelines] == ["payments"]
        assert example.read_text() in (ROOT / "docs" / "configuration.md").read_text()
