"""What the page about audit topics tells people to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dupscope.audit.agents import FORGET_MS
from dupscope.audit.reasons import InvalidReason
from dupscope.audit.repeats import FORGET_MS as FORGET_FILES_MS
from dupscope.audit.repeats import MOST_FILES, MOST_RECENT
from dupscope.audit.settings import SHIPPERS, TopicSource
from dupscope.config.load import load
from dupscope.kafka.raw_tail import REST_SECONDS

PAGE = Path(__file__).parents[2] / "docs" / "audit" / "topic.md"
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
AUDITS = [block for block in BLOCKS if "audit" in block]
(VECTOR,) = (block for block in BLOCKS if "sources" in block)
(FLUENT_BIT,) = (block for block in BLOCKS if "pipeline" in block)


class TestPage:
    @pytest.mark.parametrize("audit", AUDITS)
    def test_configurations_are_taken(self, audit, tmp_path):
        pipeline = {
            "key": "kafka_key",
            "source": {"cluster": "dr", "topics": ["payments"]},
            "sinks": {"charger": {"group": "g", **audit}},
        }
        document = {"clusters": {"dr": {"bootstrap.servers": "x"}}, "pipelines": {"p": pipeline}}
        file = tmp_path / "dupscope.yaml"
        file.write_text(yaml.safe_dump(document))
        source = load(file, {}).pipelines["p"].audits[0].source
        assert isinstance(source, TopicSource)
        assert list(source.topics.names) == ["charger-audit"]

    def test_vector_writes_the_names_that_are_usual(self):
        usual = SHIPPERS["vector"]
        assert VECTOR["sources"]["audit"]["offset_key"] == usual.offset
        assert VECTOR["sinks"]["kafka"]["key_field"] in usual.file

    def test_fluent_bit_writes_the_names_that_are_usual(self):
        (tail,) = FLUENT_BIT["pipeline"]["inputs"]
        (modify,) = FLUENT_BIT["pipeline"]["filters"]
        usual = SHIPPERS["fluent-bit"]
        assert (modify["record"].split()[0], tail["path_key"]) == usual.file
        assert tail["offset_key"] == usual.offset

    def test_the_table_of_names_is_that_of_the_code(self):
        for name, usual in SHIPPERS.items():
            row = f"| `{name}` | `{usual.line}` | `[{', '.join(usual.file)}]` | `{usual.offset}` |"
            assert row in PAGE.read_text()

    def test_numbers_and_reasons_are_those_of_the_code(self):
        text = " ".join(PAGE.read_text().split())
        assert FORGET_MS == FORGET_FILES_MS == 7 * 24 * 3600 * 1000
        assert f"for 7 days since its last line, {MOST_FILES:,} files at most" in text
        assert f"the last {MOST_RECENT:,} lines" in text
        assert f"every {REST_SECONDS:.0f} seconds" in text
        assert f"| `{InvalidReason.LOST}` |" in text
        assert f"| `{InvalidReason.BAD_SHIPMENT}` |" in text
