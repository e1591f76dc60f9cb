from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from dupscope.app.logs import LEVELS, client_log, configure


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class TestConfigure:
    def test_json_lines_on_standard_error(self, capsys: pytest.CaptureFixture[str]):
        """A line is one JSON object with event, level and a time in UTC; nothing goes to standard output."""
        configure("info")
        structlog.get_logger().info("ready", cycle=3)
        shown = capsys.readouterr()
        line = json.loads(shown.err)
        assert shown.out == ""
        assert line.pop("time").endswith("Z")
        assert line == {"event": "ready", "level": "info", "cycle": 3}

    @pytest.mark.parametrize("level", LEVELS)
    def test_least_level(self, level: str, capsys: pytest.CaptureFixture[str]):
        """Lines below the configured level are not written."""
        configure(level)
        for name in LEVELS:
            getattr(structlog.get_logger(), name)(name)
        shown = [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()]
        assert shown == list(LEVELS)[list(LEVELS).index(level) :]


class TestClientLog:
    def test_fields(self, capsys: pytest.CaptureFixture[str]):
        """What the Kafka client says is a line of its own kind, with the number of those left out."""
        configure("info")
        client_log()("primary", "FAIL", "connection refused", 7)
        line = json.loads(capsys.readouterr().err)
        assert (line["event"], line["cluster"], line["facility"]) == ("kafka_client", "primary", "FAIL")
        assert (line["text"], line["suppressed"]) == ("connection refused", 7)
