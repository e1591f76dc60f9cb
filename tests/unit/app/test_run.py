from __future__ import annotations

import gc
import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from dupscope.app.run import quiet_collector, run
from dupscope.config.values import ListenAddress
from dupscope.model.errors import ConfigError


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class TestRun:
    def test_until_caught_up(self, online, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        """A whole run: findings on standard error, the ledger file, 0, and the process as it was before."""
        online.produce(*range(9), 4)
        online.mirror(*range(9), 4)
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        thresholds = gc.get_threshold()
        assert run(online.config(), until_caught_up=True, ledger_file=tmp_path / "ledger.jsonl") == 0
        events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
        assert [each for each in events if each != "kafka_client"] == [
            *(
                "starting",
                "listening",
                "cannot_read",
                "no_topic_ids",
                "no_topic_ids",
                "duplicate",
                "ready",
                "stopped",
            ),
        ]  # the audit file of its sink does not exist, and mock brokers tell no topic ids
        assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
        assert gc.get_threshold() == thresholds

    def test_address_in_use(self, offline):
        """An address that is taken is a problem of the configuration."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config = replace(offline.config(), listen=ListenAddress("127.0.0.1", port))
            with pytest.raises(ConfigError, match=f"web.listen: cannot listen on 127.0.0.1:{port}"):
                run(config)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_state_folder(self, offline, tmp_path: Path):
        """A state folder that cannot be made is a problem of the configuration."""
        (tmp_path / "state").write_text("a file")
        with pytest.raises(ConfigError) as caught:
            run(offline.config())
        assert caught.value.problems == [
            f"{tmp_path}/dupscope.yaml: state.path: cannot make {tmp_path}/state: File exists"
        ]


class TestQuietCollector:
    def test_restores(self):
        """Inside, young objects only are looked at, and rarely; outside all is as before."""
        before = gc.get_threshold()
        with quiet_collector():
            assert gc.get_threshold()[0] > before[0]
            assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == before
        assert gc.get_freeze_count() == 0
