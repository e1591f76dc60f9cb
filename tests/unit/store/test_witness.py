from __future__ import annotations

import pytest

from dupscope.store.witness import WITNESS_FILE, Witness


class TestWitness:
    def test_says_what_it_saw(self, tmp_path):
        witness = Witness(tmp_path)
        assert witness.seq == 0
        witness.note(7)
        witness.note(8)
        assert Witness(tmp_path).seq == 8
        witness.forget()
        witness.forget()
        assert witness.seq == 0

    @pytest.mark.parametrize("content", ["", "x", "1 2"])
    def test_what_cannot_be_read(self, tmp_path, content):
        (tmp_path / WITNESS_FILE).write_text(content)
        assert Witness(tmp_path).seq == 0

    def test_a_folder_that_is_gone(self, tmp_path):
        """Nothing is said, and nothing ends over it."""
        witness = Witness(tmp_path / "gone")
        witness.note(1)
        witness.forget()
        assert witness.seq == 0
