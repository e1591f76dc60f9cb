from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dupscope.audit.files import AuditFiles
from dupscope.audit.log import AuditLog
from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.audit.source import Lines
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.fingerprint.settings import KeySpec
from dupscope.model.batch import EffectBatch
from dupscope.model.position import pack

fingerprinter = Fingerprinter(bytes(range(16)), "payments", KeySpec("json", ("id",)))


def resolve(_cluster: str | None, topic: str, partition: int) -> tuple[int, str] | None:
    return (partition, topic) if topic in {"payments", "refunds"} else None


def line(key: object, offset: int | None = None, **more: Any) -> bytes:
    place = {} if offset is None else {"topic": "payments", "partition": 2, "offset": offset}
    return json.dumps({"key": key, "at": 1_795_428_000, **place, **more}).encode() + b"\n"


def fingerprints(batch: EffectBatch) -> list[tuple[int, int]]:
    return list(zip(batch.fp_hi.tolist(), batch.fp_lo.tolist(), strict=True))


def of_record(topic: str, key: object) -> tuple[int, int]:
    found = fingerprinter.records(topic, [None], [json.dumps({"id": key}).encode()])
    return int(found.fp_hi[0]), int(found.fp_lo[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def reader(path: Path) -> AuditLog:
    source = FileSource(str(path))
    settings = AuditSettings(source, group="charger", logical_topic="payments", max_line_bytes=300)
    files = AuditFiles(source, settings.max_line_bytes)
    return AuditLog(settings, 7, resolve, fingerprinter, source=files, now_ms=lambda: 1_700)


@pytest.fixture
def audit(path: Path):
    audit = reader(path)
    yield audit
    audit.close()


class TestRead:
    """Lines become effects with the fingerprints of the records that they acted on."""

    def test_columns(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(
            line("a", 5, effect_id="x") + line(42, topic="refunds") + line("a", at=1_795_428_001)
        )
        read = audit.read(10)
        batch = read.batch
        assert (batch.sink, read.lines, read.invalid) == (7, 3, {})
        assert fingerprints(batch) == [
            of_record("payments", "a"),
            of_record("refunds", "42"),
            of_record("payments", "a"),
        ]
        assert batch.position.tolist() == [pack(2, 5), 0, 0]
        assert batch.at.tolist() == [1_795_428_000_000, 1_795_428_000_000, 1_795_428_001_000]
        assert batch.effect_id.tolist() == fingerprinter.effect_ids([b"x", None, None]).tolist()

    def test_types(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(line("a", 5))
        for batch in (audit.read(10).batch, audit.read(10).batch):
            columns = (batch.position, batch.at, batch.fp_hi, batch.fp_lo, batch.effect_id)
            assert [column.dtype for column in columns] == [
                np.uint64,
                np.int64,
                np.uint64,
                np.uint64,
                np.uint32,
            ]

    def test_no_file_yet(self, audit: AuditLog) -> None:
        read = audit.read(10)
        assert (len(read.batch), read.lines, read.invalid) == (0, 0, {})
        assert audit.problem() is not None

    def test_goes_on_where_it_was(self, audit: AuditLog, path: Path) -> None:
        content = line("a", 1) + line("b", 2) + line("c", 3)
        path.write_bytes(content[:-3])
        assert [len(audit.read(1).batch) for _ in range(3)] == [1, 1, 0]
        assert audit.has_reached(audit.goal())
        path.write_bytes(content)
        goal = audit.goal()
        assert not audit.has_reached(goal)
        assert fingerprints(audit.read(10).batch) == [of_record("payments", "c")]
        assert audit.has_reached(goal)

    def test_another_goes_on_where_this_one_was(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(line("a", 1) + line("b", 2))
        audit.read(1)
        other = reader(path)
        other.resume(audit.saved())
        assert fingerprints(other.read(10).batch) == [of_record("payments", "b")]
        other.close()


class OneRead:
    """A source that gives the same lines at each read."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def read(self, _max_lines: int, _invalid: Invalid) -> Lines:
        return self.lines


class TestComplete:
    """A log says up to when its effects are known: only at its end, and before what holds lines back."""

    @pytest.mark.parametrize(
        ("lines", "complete_ms", "lost"),
        [
            (Lines([]), None, 0),
            (Lines([], at_end=True), 1_700, 0),
            (Lines([], at_end=True, held_ms=900, lost=2), 900, 2),
        ],
    )
    def test_complete(self, lines: Lines, complete_ms: int | None, lost: int) -> None:
        settings = AuditSettings(FileSource("a"))
        log = AuditLog(settings, 7, resolve, fingerprinter, source=OneRead(lines), now_ms=lambda: 1_700)  # type: ignore[arg-type]
        read = log.read(10)
        assert (read.complete_ms, read.lost) == (complete_ms, lost)


class TestCounts:
    """Every line is counted, and every line without an effect says why by its reason."""

    def test_neighbours_of_bad_lines_are_intact(self, audit: AuditLog, path: Path) -> None:
        bad = [
            b"\0\0\0\n",
            b'{"key": "\xff", "at": 1}\n',
            b'{"key": "a", \n',
            line(None),
            line("a", topic="orders", partition=0, offset=1),
            line("a", group="refunder"),
            line("a", -1),
            line("a", at="noon"),
            line("x" * 400),
            b"x" * 400 + b"\n",
        ]
        good = [line(str(number), number) for number in range(len(bad))]
        path.write_bytes(b"".join(one + other for one, other in zip(bad, good, strict=True)))
        read = audit.read(100)
        assert fingerprints(read.batch) == [of_record("payments", str(number)) for number in range(len(bad))]
        assert read.lines == 2 * len(bad)
        assert read.invalid == {
            "not_json": 2,
            "bad_key": 1,
            "no_key": 1,
            "unknown_topic": 1,
            "foreign_group": 1,
            "bad_position": 1,
            "bad_time": 1,
            "oversize": 2,
        }

    def test_what_did_not_happen_is_a_line_without_effect(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(line("a", 1, outcome="failed") + line("a", 1, outcome="unknown"))
        read = audit.read(10)
        assert (len(read.batch), read.lines, read.invalid) == (1, 2, {})

    def test_blank_lines_are_none(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(b"\n\r\n  \n" + line("a", 1).replace(b"\n", b"\r\n"))
        read = audit.read(10)
        assert (len(read.batch), read.lines, read.invalid) == (1, 1, {})

    def test_where_the_first_of_each_reason_lies(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(line("a", 1) + b"\0\n" + b"{\n" + line(None))
        begin = len(line("a", 1))
        places = {InvalidReason.NOT_JSON: begin, InvalidReason.NO_KEY: begin + 4}
        assert audit.read(10).places == {reason: f"{path}, byte {at}" for reason, at in places.items()}

    def test_a_passed_line_counts_once(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(b"x" * 400)
        reads = [audit.read(10), audit.read(10)]
        assert [(read.lines, dict(read.invalid)) for read in reads] == [(1, {"oversize": 1}), (0, {})]

    def test_a_replaced_file_is_no_line(self, audit: AuditLog, path: Path) -> None:
        path.write_bytes(line("a", 1))
        audit.read(10)
        path.write_bytes(b"")
        read = audit.read(10)
        assert (read.lines, read.invalid) == (0, {"rotated": 1})
