from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from dupscope.app.replays import DeclaredReplays
from dupscope.config.load import load

CONFIG = {
    "clusters": {"a": {"bootstrap.servers": "127.0.0.1:1"}},
    "pipelines": {"payments": {"key": "kafka_key", "source": {"cluster": "a", "topics": ["payments"]}}},
}
DRILL = {
    "pipeline": "payments",
    "stage": "source",
    "from": "2026-11-23T10:00:00Z",
    "to": "2026-11-23T11:00:00Z",
    "reason": "drill",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dupscope.yaml"
    write(path)
    return path


def write(path: Path, *replays: dict[str, str], **more: object) -> None:
    """Replace the file, as an editor and a config map do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump({**CONFIG, **({"replays": list(replays)} if replays else {}), **more}))
    fresh.replace(path)


def watched(path: Path) -> DeclaredReplays:
    return DeclaredReplays(path, load(path, {}).replays)


def reasons(declared: DeclaredReplays) -> list[str]:
    return [replay.reason for replay in declared.refresh().get("payments", ())]


class TestDeclaredReplays:
    def test_one_that_is_declared_while_running_holds(self, file):
        declared = watched(file)
        assert reasons(declared) == []
        with capture_logs() as lines:
            write(file, DRILL)
            assert reasons(declared) == reasons(declared) == ["drill"]
        assert [line["event"] for line in lines] == ["replays_declared"]

    def test_one_that_is_taken_out_holds_no_longer(self, file):
        write(file, DRILL)
        declared = watched(file)
        assert reasons(declared) == ["drill"]
        write(file)
        assert reasons(declared) == []

    def test_a_file_that_is_wrong_changes_nothing_and_is_told_once(self, file):
        write(file, DRILL)
        declared = watched(file)
        with capture_logs() as lines:
            write(file, {**DRILL, "to": "soon"})
            assert reasons(declared) == reasons(declared) == ["drill"]
        (line,) = lines
        assert (line["event"], line["log_level"]) == ("replays_kept", "warning")
        assert "replays[0].to" in str(line["problems"])

    def test_nor_does_a_file_that_is_away(self, file):
        write(file, DRILL)
        declared = watched(file)
        file.unlink()
        assert reasons(declared) == ["drill"]

    def test_other_parts_of_the_file_need_a_restart(self, file):
        declared = watched(file)
        write(file, DRILL, limits={"memory": "nonsense"})
        assert reasons(declared) == ["drill"]
