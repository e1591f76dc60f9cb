from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dupscope.config.agent import load_agent
from dupscope.model.errors import ConfigError

LEAST = "cluster: {bootstrap.servers: 'a:9092'}\ntopic: audit\nfiles: logs/*.jsonl\n"


@pytest.fixture
def written(tmp_path: Path):
    def written(text: str) -> Path:
        file = tmp_path / "agent.yaml"
        file.write_text(text)
        return file

    return written


class TestLoadAgent:
    def test_the_least(self, written, tmp_path):
        config = load_agent(written(LEAST), {})
        assert config.files == str(tmp_path / "logs/*.jsonl")
        assert (config.topic, config.instance, config.shutdown_seconds) == ("audit", socket.gethostname(), 20)
        assert (config.max_line_bytes, str(config.listen)) == (1 << 20, ":9465")

    def test_all(self, written, tmp_path):
        (tmp_path / "secret").write_text("CANARY\n")
        file = written(
            LEAST.replace("}", ", sasl.password: {file: secret}}", 1)
            + "instance: pod-1\nstate: {path: state}\nmax_line: 2KiB\nshutdown: 5s\n"
            + "web: {listen: '127.0.0.1:0'}\nlog: {level: debug}\n"
        )
        config = load_agent(file, {})
        assert config.cluster.properties["sasl.password"] == "CANARY"
        assert "CANARY" not in repr(config)
        assert (config.instance, config.state_path, config.max_line_bytes) == (
            "pod-1",
            tmp_path / "state",
            2048,
        )
        assert (config.shutdown_seconds, str(config.listen), config.log_level) == (5, "127.0.0.1:0", "debug")

    def test_every_mistake_is_told(self, written):
        file = written("cluster: {enable.idempotence: 'false', debug: all}\ntopic: ''\nfile: x\n")
        with pytest.raises(ConfigError) as caught:
            load_agent(file, {})
        problems = [problem.removeprefix(f"{file}: ").split(": ")[0] for problem in caught.value.problems]
        assert sorted(problems) == ["cluster.bootstrap.servers", "cluster.debug", "file", "topic"]

    def test_nothing(self, written):
        with pytest.raises(ConfigError, match="is empty; it needs 'cluster', 'topic' and 'files'"):
            load_agent(written(""), {})
