"""What the page about audit logs tells people to write is what dupscope understands."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from dupscope.audit.line import Effect, LineReader
from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.config.load import load
from dupscope.fingerprint.settings import KeySpec
from support.mock import MockCluster
from support.process import LoggedProcess
from support.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
SPEC = KeySpec("json", ("payment_id",))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == language]


def effect(line: str, fields: dict[str, str] | None = None) -> Effect:
    found = LineReader(AuditSettings(FileSource("a.jsonl"), fields or {}, "charger"), SPEC).read(
        line.encode()
    )
    assert found is not None
    return found


class TestPage:
    def test_lines(self):
        """The first line and the one of Spring Boot, with the mapping given there, say the same."""
        plain, spring = blocks("json")
        fields = yaml.safe_load(blocks("yaml")[0])["audit"]["fields"]
        one, other = effect(plain), effect(spring, fields)
        assert (one.key, one.topic, one.partition, one.offset, one.effect_id) == (
            other.key,
            other.topic,
            other.partition,
            other.offset,
            other.effect_id,
        )
        assert (one.at, other.at) == (1_795_428_000_000, 1_795_428_000_067)

    def test_python(self, tmp_path):
        """The program runs as it is printed, and writes a line for each record."""
        (program,) = blocks("python")
        audit, file = tmp_path / "audit.jsonl", tmp_path / "sink.py"
        with MockCluster() as cluster:
            cluster.create_topic("primary.payments", 1)
            producer = Producer({"bootstrap.servers": cluster.bootstrap_servers})
            for number in range(3):
                producer.produce("primary.payments", json.dumps({"payment_id": f"p-{number}"}).encode())
            assert producer.flush(30) == 0
            given = f"SERVERS, AUDIT = {cluster.bootstrap_servers!r}, {str(audit)!r}\n"
            given += "charge = lambda payment: 'ch_1'\n"
            file.write_text(given + program)
            with closing(LoggedProcess([sys.executable, str(file)], tmp_path / "log")) as process:
                process.start()
                wait_until(lambda: audit.exists() and audit.read_text().count("\n") == 3, 60, "three lines")
        effects = [effect(line) for line in audit.read_text().splitlines()]
        assert [(one.topic, one.partition, one.offset) for one in effects] == [
            ("primary.payments", 0, number) for number in range(3)
        ]
        assert all(one.at > 1_600_000_000_000 for one in effects)

    @pytest.mark.parametrize("index", range(2))
    def test_sections_are_accepted(self, tmp_path, index):
        """Each section is taken as it is, in a configuration around it."""

        section = yaml.safe_load(blocks("yaml")[index])
        pipeline = {
            "key": {"json": ["payment_id"]},
            "source": {"cluster": "dr", "topics": ["payments"]},
            "sinks": {"charger": {"group": "charger", **section}},
        }
        file = tmp_path / "dupscope.yaml"
        file.write_text(
            yaml.safe_dump(
                {"clusters": {"dr": {"bootstrap.servers": "a:9092"}}, "pipelines": {"payments": pipeline}}
            )
        )
        assert load(file, {}).pipelines["payments"].audits[0].names["key"] == "payment_id"
