from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from dupscope.audit.position import HEAD_BYTES, AuditPosition, begin_of


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def at(path: Path, offset: int) -> AuditPosition:
    with opened(path) as descriptor:
        return begin_of(descriptor).moved(descriptor, offset)


def fits(position: AuditPosition, path: Path) -> bool:
    with opened(path) as descriptor:
        return position.fits(descriptor)


class TestFits:
    @pytest.mark.parametrize("offset", [0, 1, HEAD_BYTES, HEAD_BYTES + 1, 4 * 256])
    def test_the_file_that_was_read_whatever_its_name_is(self, path: Path, offset: int):
        position = at(path, offset)
        assert fits(position, path)
        with path.open("ab") as file:
            file.write(b"more")
        assert fits(position, path.rename(path.with_suffix(".1")))

    def test_not_one_that_became_shorter(self, path: Path):
        position = at(path, 700)
        os.truncate(path, 700)
        assert fits(position, path)
        os.truncate(path, 699)
        assert not fits(position, path)

    @pytest.mark.parametrize("offset", [1, 2, 700])
    def test_not_one_that_begins_otherwise(self, path: Path, offset: int):
        position = at(path, offset)
        with path.open("r+b") as file:
            file.write(b"!")
        assert not fits(position, path)

    def test_what_was_not_read_may_be_otherwise(self, path: Path):
        position = at(path, 1)
        with path.open("r+b") as file:
            file.write(b"\0!")
        assert fits(position, path)

    def test_not_another_file_of_the_same_content(self, path: Path, tmp_path: Path):
        (tmp_path / "b").write_bytes(path.read_bytes())
        assert not fits(at(path, 700), tmp_path / "b")

    def test_the_same_on_a_volume_that_was_mounted_anew(self, path: Path):
        elsewhere = dataclasses.replace(at(path, 700), device=77)
        assert fits(elsewhere, path)
        assert not fits(dataclasses.replace(at(path, 0), device=77), path)


class TestMoved:
    def test_the_head_is_no_more_than_was_read(self, path: Path):
        assert at(path, 0).head == ""
        assert at(path, 5).head.startswith("5:")
        assert at(path, HEAD_BYTES).head == at(path, 1000).head

    def test_step_by_step_it_is_the_same(self, path: Path):
        with opened(path) as descriptor:
            position = begin_of(descriptor)
            for offset in (0, 5, 5, 300, 1000):
                position = position.moved(descriptor, offset)
                assert position == at(path, offset)


class TestTree:
    @pytest.mark.parametrize("offset", [0, 700])
    def test_nothing_of_it_is_lost_as_plain_values(self, path: Path, offset: int):
        for position in (at(path, offset), AuditPosition()):
            stored = msgspec.msgpack.encode(position.tree())
            assert AuditPosition.from_tree(msgspec.msgpack.decode(stored)) == position
