from __future__ import annotations

from pathlib import Path

import pytest

from dupscope.audit.agent_state import STATE_FILE, AgentState, DamagedStateError
from dupscope.audit.position import AuditPosition

POSITIONS = {"/a.jsonl": AuditPosition(7, 1, 2, "7:x", "2-y"), "/b.jsonl": AuditPosition()}


class TestAgentState:
    def test_nothing_at_first(self, tmp_path: Path):
        assert AgentState(tmp_path).load() == {}

    def test_what_is_saved_is_loaded(self, tmp_path: Path):
        AgentState(tmp_path).save(POSITIONS)
        AgentState(tmp_path).save(POSITIONS)
        assert AgentState(tmp_path).load() == POSITIONS
        assert [file.name for file in tmp_path.iterdir()] == [STATE_FILE]

    def test_every_damage_is_noticed_and_set_aside(self, tmp_path: Path):
        """A file cut anywhere, or with one other byte, is no state; the next load begins anew."""
        state = AgentState(tmp_path)
        state.save(POSITIONS)
        whole = (tmp_path / STATE_FILE).read_bytes()
        damaged = [whole[:cut] for cut in range(0, len(whole), 7)]
        damaged += [whole.replace(b'"/a.jsonl", ', b""), whole.replace(b"[7,", b"[8,"), b"[]", b"{}"]
        for text in [each for each in damaged if each != whole]:
            (tmp_path / STATE_FILE).write_bytes(text)
            with pytest.raises(DamagedStateError):
                state.load()
            assert state.load() == {}

    def test_a_folder_that_is_gone(self, tmp_path: Path):
        with pytest.raises(OSError, match="No such file"):
            AgentState(tmp_path / "gone").save(POSITIONS)
