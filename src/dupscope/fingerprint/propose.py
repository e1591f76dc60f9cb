"""Proposes business keys for a topic from a sample of its records. Pure; no raw value leaves it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from dupscope.fingerprint.propose_columns import Cell, Column, Sampled, Table, table
from dupscope.fingerprint.settings import KeySpec

_TIME_NAME = re.compile(
    r"(^|[._-])(time|timestamp|ts|date|datetime|at|on)$|(At|Time|Timestamp|Date)$", re.ASCII
)
_ID_NAME = re.compile(r"(^|[._-])(id|key|uuid|ref|reference|number|no|code)$|(Id|ID|Key|Ref|Number)$")
_MESSAGE_NAME = re.compile(
    r"(^|[._-])(message|msg|event|trace|span|request|record|delivery|correlation|batch)[._-]?(id|uuid|key)$",
    re.IGNORECASE,
)

SPARSE_SHARE = 0.5
"""A key that fewer records than this have is none."""

COARSE_SHARE = 0.005
"""Above this share of records that repeat a key with another payload, it names more than one fact."""

NEARLY_UNIQUE_SHARE = 0.9
_FEW_VALUES_SHARE = 0.05
_FEW_VALUES = 20


class Verdict(IntEnum):
    """What a candidate seems to name, the best first."""

    NAMES_FACT = 0
    UNIQUE = 1
    MAYBE_MESSAGE = 2
    COARSE = 3
    NAMES_MESSAGE = 4
    TIME = 5
    SPARSE = 6


@dataclass(frozen=True, slots=True)
class Repeats:
    """How the values of one candidate repeat, in records.

    present    records that have it
    distinct   different values among them
    same       further records of a value, with the payload of its first record
    resent     …, with a payload that differs only in fields that change with every sending
    other      …, with another payload
    changing   the fields that `resent` rests on
    """

    present: int
    distinct: int
    same: int
    resent: int
    other: int
    changing: tuple[str, ...] = ()

    @property
    def distinct_share(self) -> float:
        """Different values per record that has one; 0 for none."""
        return self.distinct / self.present if self.present else 0.0

    @property
    def other_share(self) -> float:
        """Records that repeat with another payload, per record that has a value."""
        return self.other / self.present if self.present else 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible business key. `reason` is a sentence for a person."""

    spec: KeySpec
    present_share: float
    repeats: Repeats
    verdict: Verdict
    reason: str

    @property
    def usable(self) -> bool:
        """It may be proposed."""
        return self.verdict in (Verdict.NAMES_FACT, Verdict.UNIQUE, Verdict.MAYBE_MESSAGE)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Candidates of one topic, the best first, and what the sample held."""

    topic: str
    records: int
    tombstones: int
    undecodable: int
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate | None:
        """The one to propose, None when none is usable."""
        return next((candidate for candidate in self.candidates if candidate.usable), None)


def propose(topic: str, records: Sequence[Sampled]) -> Proposal:
    """Rank what could be the business key of a topic."""
    sample = table(records)
    columns = [column for column in sample.columns.values() if not column.fractional]
    changing = _changing_fields(sample, columns)
    found = [_judge(sample, column, changing) for column in columns]
    found += _composites(sample, found, changing)
    twin = _twin_of_kafka_key(sample)
    order = {candidate.spec: _rank(candidate, topic, twin) for candidate in found}
    ranked = sorted(found, key=lambda candidate: order[candidate.spec])
    return Proposal(topic, len(sample), sample.tombstones, sample.undecodable, tuple(_same(ranked, twin)))


def examine(records: Sequence[Sampled], spec: KeySpec) -> tuple[Repeats, KeySpec | None]:
    """How a key repeats in a sample; and where it is too coarse, a finer one: the same and one more path."""
    sample = table(records)
    columns = [column for column in sample.columns.values() if not column.fractional]
    changing = _changing_fields(sample, columns)
    repeats = measure(sample, _cells(sample, spec), changing)
    finer = None
    if spec.kind == "json" and repeats.other_share > COARSE_SHARE:
        finer = _finer(sample, spec, columns, changing)
    return repeats, finer.spec if finer else None


def _cells(sample: Table, spec: KeySpec) -> list[tuple[Cell, ...] | None]:
    """The values of a key, one per record, None where a part of it is missing."""
    parts = spec.paths if spec.kind == "json" else ("",)
    specs = [KeySpec("json", (path,)) if path else spec for path in parts]
    nothing: list[Cell] = [None] * len(sample)
    found = [sample.columns[part].cells if part in sample.columns else nothing for part in specs]
    return [None if None in row else row for row in zip(*found, strict=True)]


def measure(sample: Table, cells: Sequence[object], changing: frozenset[str] = frozenset()) -> Repeats:
    """How the values in `cells`, one per record, None for none, repeat."""
    first: dict[object, int] = {}
    same = resent = other = 0
    seen_changing: set[str] = set()
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        earlier = first.setdefault(cell, row)
        if earlier == row:
            continue
        if sample.payloads[row] == sample.payloads[earlier]:
            same += 1
        elif (fields := _differing(sample, earlier, row)) and fields <= changing:
            resent += 1
            seen_changing |= fields
        else:
            other += 1
    present = len(first) + same + resent + other
    return Repeats(present, len(first), same, resent, other, tuple(sorted(seen_changing)))


def _differing(sample: Table, one: int, another: int) -> set[str]:
    """The JSON paths in which two records differ."""
    left, right = sample.fields[one], sample.fields[another]
    return {path for path in left.keys() | right.keys() if left.get(path) != right.get(path)}


def _changing_fields(sample: Table, columns: Iterable[Column]) -> frozenset[str]:
    """JSON paths that get a new value with every sending: times, and ids of the message.

    An id is known as the message's when records that agree in another, nearly unique field differ in nothing
    but such paths.
    """
    paths = [column for column in columns if column.spec.kind == "json"]
    times = {column.spec.paths[0] for column in paths if is_time(column)}
    shares = {column.spec.paths[0]: measure(sample, column.cells).distinct_share for column in paths}
    unique = {path for path, share in shares.items() if share == 1 and path not in times}
    found = {path for path in unique if _MESSAGE_NAME.search(path)}
    for column in paths:
        path = column.spec.paths[0]
        if path not in times | unique and shares[path] >= NEARLY_UNIQUE_SHARE:
            for fields in _repeat_differences(sample, column):
                found |= fields & unique if fields <= unique | times else set()
    return frozenset(times | found)


def _repeat_differences(sample: Table, column: Column) -> Iterator[set[str]]:
    first: dict[Cell, int] = {}
    for row, cell in enumerate(column.cells):
        if cell is not None and first.setdefault(cell, row) != row:
            yield _differing(sample, first[cell], row)


def is_time(column: Column) -> bool:
    """It holds moments in time, by its values or its name."""
    return column.spec.kind == "json" and (
        column.holds_times or bool(_TIME_NAME.search(column.spec.paths[0].rpartition(".")[2]))
    )


def _judge(sample: Table, column: Column, changing: frozenset[str]) -> Candidate:
    repeats = measure(sample, column.cells, changing - set(column.spec.paths))
    share = repeats.present / len(sample) if len(sample) else 0.0
    verdict = _verdict(column, repeats, share, changing)
    return Candidate(column.spec, share, repeats, verdict, reason(verdict, repeats, share))


def _verdict(column: Column, repeats: Repeats, share: float, changing: frozenset[str]) -> Verdict:
    if share < SPARSE_SHARE:
        return Verdict.SPARSE
    if is_time(column):
        return Verdict.TIME
    if repeats.other_share > COARSE_SHARE or repeats.other > repeats.same + repeats.resent:
        return Verdict.COARSE
    if repeats.present > repeats.distinct:
        return Verdict.NAMES_FACT
    named_for_message = any(_MESSAGE_NAME.search(path) for path in column.spec.paths)
    if column.spec.kind == "json" and column.spec.paths[0] in changing and not named_for_message:
        return Verdict.NAMES_MESSAGE
    return Verdict.MAYBE_MESSAGE if named_for_message else Verdict.UNIQUE


def reason(verdict: Verdict, repeats: Repeats, share: float) -> str:
    """Why a candidate is judged so, as a sentence."""
    if verdict is Verdict.NAMES_FACT:
        if repeats.resent:
            return f"repeats differ only in {' and '.join(repeats.changing)}, so it names one fact"
        most = " nearly all" if repeats.other else ""
        return f"repeats carry{most} the same payload, so it names one fact"
    return {
        Verdict.UNIQUE: "never repeats, so it may name one fact",
        Verdict.MAYBE_MESSAGE: "never repeats, and its name says that each sending may get a new one",
        Verdict.COARSE: f"{percent(repeats.other_share)} repeat it with another payload, so it is too coarse",
        Verdict.NAMES_MESSAGE: "new even where all else repeats, so it names the message, not the fact",
        Verdict.TIME: "a time: a resend may bring a new one, and two facts may share one",
        Verdict.SPARSE: f"only {percent(share)} of the records have it",
    }[verdict]


def percent(share: float) -> str:
    """A share as a person reads it: 100%, 99.8%, 0.05%; never 100% for less than all."""
    digits = 1 if 0.001 <= share <= 0.999 else 2  # noqa: PLR2004 - one decimal would say 0% or 100%
    text = f"{share * 100:.{digits}f}".rstrip("0").rstrip(".")
    if share < 1 and text == "100":
        return "99.99%"
    return f"{text}%"


def _composites(sample: Table, singles: Sequence[Candidate], changing: frozenset[str]) -> list[Candidate]:
    """Pairs that are fine enough, of an id that is too coarse alone and a field of few values."""
    columns = [column for column in sample.columns.values() if column.spec.kind == "json"]
    coarse = (single.spec for single in singles if single.verdict is Verdict.COARSE)
    bases = [spec for spec in coarse if spec.kind == "json" and _named_id(spec)]
    found = (_finer(sample, spec, columns, changing) for spec in bases)
    return [candidate for candidate in found if candidate]


def _finer(
    sample: Table, spec: KeySpec, columns: Iterable[Column], changing: frozenset[str]
) -> Candidate | None:
    """The best of `spec` with one more path of few values, if any makes it fine enough."""
    best: Candidate | None = None
    for column in columns:
        if column.spec.kind != "json" or column.spec.paths[0] in spec.paths or not _tells_apart(column):
            continue
        finer = KeySpec("json", (*spec.paths, column.spec.paths[0]))
        repeats = measure(sample, _cells(sample, finer), changing)
        share = repeats.present / len(sample)
        if share < SPARSE_SHARE or repeats.other_share > COARSE_SHARE:
            continue
        if best is None or (repeats.other, -share) < (best.repeats.other, -best.present_share):
            verdict = Verdict.NAMES_FACT if repeats.present > repeats.distinct else Verdict.UNIQUE
            best = Candidate(finer, share, repeats, verdict, reason(verdict, repeats, share))
    return best


def _tells_apart(column: Column) -> bool:
    """It has several values, but few: a type, a status, a line number; no time, no id."""
    values = {cell for cell in column.cells if cell is not None}
    few = max(_FEW_VALUES, int(len(column.cells) * _FEW_VALUES_SHARE))
    return 1 < len(values) <= few and not is_time(column)


def _named_id(spec: KeySpec) -> bool:
    return spec.kind == "kafka_key" or any(_ID_NAME.search(path) for path in spec.paths)


def _rank(candidate: Candidate, topic: str, twin: KeySpec | None) -> tuple[int, ...]:
    """Sort key: what it names, what its name says, how plain it is. Ties keep the record's order."""
    spec = candidate.spec
    about_topic = any(_about(path, topic) for path in spec.paths)
    name = 0 if (about_topic or spec == twin) and _named_id(spec) else 1 if _named_id(spec) else 2
    unnamed_unique = candidate.verdict is Verdict.UNIQUE and name == 2  # noqa: PLR2004 - the last name rank
    verdict = Verdict.MAYBE_MESSAGE if unnamed_unique else candidate.verdict
    kind = ("json", "kafka_key", "header").index(spec.kind)
    missing = round((1 - candidate.present_share) * 20)
    depth = max(path.count(".") for path in spec.paths or [""])
    return (verdict, missing, name, kind, len(spec.paths), depth)


def _about(path: str, topic: str) -> bool:
    """`payment_id` is about the topic `shop.payments`."""
    subject = _ID_NAME.sub("", path.rpartition(".")[2]).lower().rstrip("._-")
    words = re.split(r"[._-]", topic.lower())
    return bool(subject) and any(word in (subject, f"{subject}s", f"{subject}es") for word in words)


def _twin_of_kafka_key(sample: Table) -> KeySpec | None:
    """The JSON path that holds what the Kafka key holds, in every record."""
    key = sample.columns.get(KeySpec("kafka_key", ()))
    twins = (column.spec for column in sample.columns.values() if key and column.spec.kind == "json")
    return next((spec for spec in twins if key and sample.columns[spec].cells == key.cells), None)


def _same(ranked: Sequence[Candidate], twin: KeySpec | None) -> Iterator[Candidate]:
    for candidate in ranked:
        if candidate.spec.kind == "kafka_key" and twin:
            yield replace(candidate, reason=f"holds the same as {twin.paths[0]}")
        else:
            yield candidate
