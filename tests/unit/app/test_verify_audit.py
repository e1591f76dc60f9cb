from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from dupscope.app.verify_audit import EFFECTS_AT_ONCE, AuditAgain, whole_lines
from dupscope.audit.follow import FollowedFile
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import MAX_LINE_BYTES, AuditSettings, FileSource
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.forensics.sample import Sample
from dupscope.model.batch import RecordBatch
from dupscope.model.position import Partition, pack

PARTITIONS = [Partition(0, "dr-id", "topic-id", "payments", "payments", 0)]
FINGERPRINTER = Fingerprinter(bytes(16), "payments", KeySpec("json", ("id",)))


def line(key: int, **more: object) -> str:
    fields = {"key": key, "topic": "payments", "partition": 0, "offset": key, "at": 1_700_000_000, **more}
    return json.dumps(fields) + "\n"


def sample_of(*numbers: int) -> Sample:
    """A sample of keys that have a record each."""
    sample = Sample(100_000, 1, PARTITIONS)
    values = [json.dumps({"id": number}).encode() for number in numbers]
    found = FINGERPRINTER.records("payments", [b""] * len(values), values)
    position = np.array([pack(0, number) for number in numbers], np.uint64)
    zeros = np.zeros(len(numbers), np.int64)
    batch = RecordBatch(0, position, zeros, found.fp_hi, found.fp_lo, found.content)
    sample.records(batch, np.zeros(len(numbers), np.bool_))
    sample.settle()
    return sample


def read(path: Path, committed: AuditPosition, sample: Sample, **more: object) -> bool:
    def resolve(_cluster: str | None, topic: str, _number: int) -> tuple[int, str] | None:
        return (0, "payments") if topic == "payments" else None

    settings = AuditSettings(FileSource(str(path)), **more)
    return AuditAgain(settings, 0, resolve, FINGERPRINTER).read(committed.tree(), sample)


def effects(sample: Sample) -> list[int]:
    """Positions of all effects, as offsets."""
    return sorted(effect.position - 1 for key in sample.keys.values() for effect in key.effects)


def read_to(path: Path, lines: int) -> AuditPosition:
    """Where a detector stands that has read so many lines."""
    file = FollowedFile(str(path), MAX_LINE_BYTES)
    file.read(lines, Invalid())
    file.close()
    return file.position


class TestRead:
    def test_effects_up_to_the_commit_are_taken_and_later_ones_noted(self, tmp_path):
        path, sample = tmp_path / "audit", sample_of(1, 2, 3)
        path.write_text(line(1) + line(1) + line(2))
        committed = read_to(path, 2)

        assert read(path, committed, sample)
        assert effects(sample) == [1, 1]
        assert [key.grows for key in sample.keys.values()] == [False, True, False]

    def test_keys_that_are_not_sampled_are_passed(self, tmp_path):
        path, sample = tmp_path / "audit", sample_of(1)
        path.write_text(line(1) + line(2))

        assert read(path, read_to(path, 2), sample)
        assert (effects(sample), len(sample.keys)) == ([1], 1)

    def test_lines_that_say_nothing_are_passed(self, tmp_path):
        path, sample = tmp_path / "audit", sample_of(1)
        odd = ["\n", "no json\n", line(1, outcome="failed"), line(1, topic="orders"), line(1, at="never")]
        path.write_text("".join(odd) + line(1) + '{"torn')

        assert read(path, read_to(path, 99), sample)
        assert effects(sample) == [1]

    def test_more_than_one_block(self, tmp_path):
        path, count = tmp_path / "audit", EFFECTS_AT_ONCE + 3
        path.write_text("".join(map(line, range(count))))
        sample = sample_of(*range(count))

        assert read(path, read_to(path, count), sample)
        assert effects(sample) == list(range(count))

    def test_an_effect_without_position_has_none(self, tmp_path):
        path, sample = tmp_path / "audit", sample_of(1)
        path.write_text(line(1, partition=None, offset=None))

        assert read(path, read_to(path, 1), sample)
        assert effects(sample) == [-1]

    @pytest.mark.parametrize("how", ["rotated", "cut", "removed"])
    def test_another_file_is_not_what_was_committed(self, how, tmp_path):
        path = tmp_path / "audit"
        path.write_text(line(1) + line(2))
        committed = read_to(path, 2)
        if how == "rotated":
            path.rename(tmp_path / "audit.1")
            path.write_text(line(1) + line(2))
        elif how == "cut":
            os.truncate(path, 5)
        else:
            path.unlink()

        assert not read(path, committed, sample_of(1))

    def test_a_file_that_was_never_there_has_no_lines(self, tmp_path):
        sample = sample_of(1)

        assert read(tmp_path / "audit", AuditPosition(), sample)
        assert effects(sample) == []

    def test_a_file_that_came_since_has_only_later_ones(self, tmp_path):
        path, sample = tmp_path / "audit", sample_of(1)
        path.write_text(line(1))

        assert read(path, AuditPosition(), sample)
        assert [key.grows for key in sample.keys.values()] == [True]


class TestWholeLines:
    def test_they_end_with_a_newline(self):
        assert list(whole_lines(io.BytesIO(b"one\n\nthree\ntorn"), 100)) == [
            (4, b"one"),
            (5, b""),
            (11, b"three"),
        ]

    @pytest.mark.parametrize("excess", range(1, 12))
    def test_those_too_long_are_passed(self, excess):
        text = b"1234\n" + b"x" * (4 + excess) + b"\nlast\n"

        assert [line for _, line in whole_lines(io.BytesIO(text), 4)] == [b"1234", b"last"]
        assert [end for end, _ in whole_lines(io.BytesIO(text), 4)] == [5, len(text)]

    def test_several_files_are_not_read_again(self, tmp_path):
        """Which of them were read, and how far, is in no order that a sample could follow."""
        (tmp_path / "a.jsonl").write_text(line(1))
        assert not read(tmp_path / "*.jsonl", AuditPosition(), sample_of(1))
