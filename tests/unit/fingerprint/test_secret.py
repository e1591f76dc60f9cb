from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dupscope.fingerprint.secret import keep, load_or_create
from dupscope.model.errors import ConfigError


class TestLoadOrCreate:
    """The key is made once, for its owner only, and is the same ever after."""

    def test_created_once(self, tmp_path: Path) -> None:
        path = tmp_path / "key"
        secret = load_or_create(path)
        assert len(secret) == 16
        assert load_or_create(path) == secret
        assert path.read_text() == secret.hex() + "\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]

    def test_all_who_start_at_once_get_the_same(self, tmp_path: Path) -> None:
        start = threading.Barrier(8)

        def load(_: int) -> bytes:
            start.wait()
            return load_or_create(tmp_path / "key")

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(load, range(8)))) == 1
        assert list(tmp_path.iterdir()) == [tmp_path / "key"]

    def test_two_files_have_two_keys(self, tmp_path: Path) -> None:
        assert load_or_create(tmp_path / "a") != load_or_create(tmp_path / "b")

    @pytest.mark.parametrize("text", ["{}", "{}\n", " {}\r\n"])
    def test_space_around_the_key_does_not_matter(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "key"
        path.write_text(text.format("00ff" * 8))
        assert load_or_create(path) == bytes.fromhex("00ff" * 8)

    @pytest.mark.parametrize("content", [b"", b"00ff", b"zz" * 16, b"00" * 17, b"\xff" * 32])
    def test_anything_else_is_a_problem_that_does_not_show_it(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "key"
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_or_create(path)
        assert caught.value.problems == [
            f"{path}: a fingerprint key is 32 hexadecimal characters, and this file holds something else"
        ]
        assert path.read_bytes() == content

    def test_no_directory(self, tmp_path: Path) -> None:
        path = tmp_path / "absent" / "key"
        with pytest.raises(ConfigError) as caught:
            load_or_create(path)
        assert caught.value.problems == [
            f"{path}: cannot hold the fingerprint key: No such file or directory"
        ]

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot hold the fingerprint key: Is a directory"):
            load_or_create(tmp_path)


class TestKeep:
    def test_written_again(self, tmp_path: Path) -> None:
        """A key whose file was lost with its folder; one that is there stays."""
        path = tmp_path / "key"
        keep(path, bytes(range(16)))
        assert load_or_create(path) == bytes(range(16))
        keep(path, bytes(16))
        assert load_or_create(path) == bytes(range(16))

    def test_folder_that_is_gone(self, tmp_path: Path) -> None:
        keep(tmp_path / "absent" / "key", bytes(16))
        assert list(tmp_path.iterdir()) == []
