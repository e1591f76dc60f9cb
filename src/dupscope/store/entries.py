"""A cycle as the journal keeps it: all that the ledger was handed, so that it can be handed it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from dupscope.ledger.cycle import Cycle, Progress
from dupscope.ledger.outcome import Outcome
from dupscope.model.batch import I64, EffectBatch, Gap, RecordBatch
from dupscope.model.plain import Plain, equal
from dupscope.model.position import Partition
from dupscope.model.replay import Replay

_OF_EXPECTING = ("settled", "settled_from")
"""Of a pipeline with sinks of which effects are expected; others have no such columns."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One cycle of one pipeline.

    ends        the end offsets that were taken for a barrier, None where none was
    partitions  those that were numbered since the entry before, in order of their slots
    outcome     a digest of what the ledger concluded: replayed, it must conclude the same
    """

    cycle: Cycle
    ends: I64 | None
    partitions: tuple[Partition, ...]
    outcome: int


def outcome_digest(outcome: Outcome) -> int:
    """63 bits of everything that is published of an outcome."""
    counters = (
        outcome.unverified,
        outcome.intended,
        outcome.missing,
        outcome.recovered,
        outcome.extra_effects,
        outcome.extra_copies,
    )
    parts = [repr(sorted(f"{key}={n}" for key, n in counter.items() if n)) for counter in counters]
    parts += [finding.id for finding in outcome.findings]
    return xxhash.xxh3_64_intdigest("\n".join(parts).encode()) >> 1


def to_tree(entries: Iterable[Entry]) -> list[Plain]:
    """Trees of the entries of one commit. What did not change since the entry before is left out."""
    trees: list[Plain] = []
    before: dict[str, Plain] = {}
    for entry in entries:
        progress = _progress_tree(entry.cycle.progress)
        changed = {name: value for name, value in progress.items() if not _same(before, name, value)}
        before = progress
        trees.append(_entry_tree(entry, changed))
    return trees


def from_tree(trees: Iterable[Any]) -> Iterator[Entry]:
    """The entries again."""
    progress: dict[str, Any] = {}
    for tree in trees:
        progress |= tree["progress"]
        cycle = Cycle(
            tree["number"],
            tree["now_ms"],
            _progress(progress),
            [RecordBatch(*columns) for columns in tree.get("records", [])],
            [EffectBatch(*columns) for columns in tree.get("effects", [])],
            [Gap(*gap) for gap in tree.get("gaps", [])],
            tuple(Replay(*replay) for replay in tree.get("replays", [])),
        )
        partitions = tuple(Partition(*partition) for partition in tree.get("partitions", []))
        yield Entry(cycle, tree.get("ends"), partitions, tree["outcome"])


def partition_trees(partitions: Sequence[Partition]) -> list[Plain]:
    """Partitions as lists of their fields."""
    return [list(dataclasses.astuple(partition)) for partition in partitions]


def _same(before: dict[str, Plain], name: str, value: Plain) -> bool:
    return name in before and equal(before[name], value)


def _entry_tree(entry: Entry, progress: dict[str, Plain]) -> dict[str, Plain]:
    cycle = entry.cycle
    optional: dict[str, Plain] = {
        "records": [_fields(batch) for batch in cycle.records if len(batch)],
        "effects": [_fields(batch) for batch in cycle.effects if len(batch)],
        "gaps": [_fields(gap) for gap in cycle.gaps],
        "replays": [_fields(replay) for replay in cycle.replays],
        "partitions": partition_trees(entry.partitions),
    }
    tree: dict[str, Plain] = {
        "number": cycle.number,
        "now_ms": cycle.now_ms,
        "progress": progress,
        "outcome": entry.outcome,
        **{name: value for name, value in optional.items() if value},
    }
    return tree if entry.ends is None else {**tree, "ends": entry.ends}


def _fields(value: RecordBatch | EffectBatch | Gap | Replay) -> list[Plain]:
    return [getattr(value, field.name) for field in dataclasses.fields(value)]


def _progress_tree(progress: Progress) -> dict[str, Plain]:
    return {
        "positions": progress.positions,
        "at_end": progress.at_end,
        "tailed": list(progress.tailed),
        "begun": progress.begun,
        "covered_since": list(progress.covered_since),
        "committed": list(progress.committed),
        "truncated": [[log, topic] for log, topic in sorted(progress.truncated)],
        "deleted": sorted(progress.deleted),
        "end_seen_ms": progress.end_seen_ms,
        "enumerated_ms": progress.enumerated_ms,
        "covered_topics": [[log, topic, start] for (log, topic), start in progress.covered_topics.items()],
        **{name: list(getattr(progress, name)) for name in _OF_EXPECTING if getattr(progress, name)},
    }


def _progress(tree: dict[str, Any]) -> Progress:
    return Progress(
        **tree
        | {
            "covered_since": tuple(tree["covered_since"]),
            "committed": tuple(tree["committed"]),
            "truncated": frozenset((log, topic) for log, topic in tree["truncated"]),
            "deleted": frozenset(tree["deleted"]),
            "covered_topics": {(log, topic): start for log, topic, start in tree["covered_topics"]},
            **{name: tuple(tree[name]) for name in _OF_EXPECTING if name in tree},
        }
    )
