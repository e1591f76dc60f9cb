"""What `dupscope verify` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from dupscope.app.check_report import plural
from dupscope.forensics.comparison import WHY, Comparison
from dupscope.model.layer import Layer
from dupscope.model.position import Position

DIFFERENCES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """One pipeline. `unread_sinks` were left out: their audit logs cannot be read from the beginning."""

    pipeline: str
    seed: int
    comparison: Comparison
    unread_sinks: Sequence[str]

    @property
    def is_equal(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return self.comparison.is_equal and self.comparison.compared > 0


@dataclass(frozen=True, slots=True)
class _Difference:
    what: str
    id: str
    layer: Layer
    stage: str
    position: Position | None
    ordinal: int | None


def print_text(verified: Sequence[Verified], out: TextIO) -> None:
    """For a person."""
    for index, each in enumerate(verified):
        if index:
            out.write("\n")
        out.writelines(f"{line}\n" for line in _lines(each))


def print_json(verified: Sequence[Verified], out: TextIO) -> None:
    """One object."""
    out.write(
        json.dumps(
            {
                "equal": all(each.is_equal for each in verified),
                "pipelines": [_plain(each) for each in verified],
            },
            indent=2,
        )
    )
    out.write("\n")


def _lines(verified: Verified) -> Iterator[str]:
    result = verified.comparison
    keys = f"{plural(result.sampled, 'key')} sampled (seed {verified.seed}), {result.compared:,} compared"
    yield f"{verified.pipeline}: {keys}"
    for reason, count in result.left_out.most_common():
        yield f"  left out  {count:>7,}  {reason}: {WHY[reason]}"
    for sink in verified.unread_sinks:
        yield f"  left out     sink  {sink}: its audit log cannot be read again from its beginning"
    counts = f"{result.found:,} found, {len(result.missing):,} missing, {len(result.false):,} false"
    yield f"  findings  {result.expected:,} expected, {counts}"
    yield from _differences(result)
    yield f"{verified.pipeline}: {_conclusion(verified)}"


def _differences(result: Comparison) -> Iterator[str]:
    every = list(_all(result))
    for one in every[:DIFFERENCES_SHOWN]:
        effect = "" if one.ordinal is None else f", effect {one.ordinal}"
        yield f"  {one.what:<7}  {one.layer} ({one.stage})  {one.position}{effect}  finding {one.id}"
    if len(every) > DIFFERENCES_SHOWN:
        yield f"  … and {len(every) - DIFFERENCES_SHOWN:,} more (--json lists all)"


def _conclusion(verified: Verified) -> str:
    if not verified.comparison.compared:
        return "nothing could be compared"
    return "equal" if verified.is_equal else "NOT EQUAL"


def _all(result: Comparison) -> Iterator[_Difference]:
    for one in result.missing:
        yield _Difference("missing", one.id, one.layer, one.stage, one.position, one.ordinal)
    for finding in result.false:
        position = finding.first if finding.layer is Layer.CONSUME else finding.position
        yield _Difference("false", finding.id, finding.layer, finding.stage, position, finding.ordinal)


def _plain(verified: Verified) -> dict[str, object]:
    result = verified.comparison
    return {
        "pipeline": verified.pipeline,
        "seed": verified.seed,
        "equal": verified.is_equal,
        "keys_sampled": result.sampled,
        "keys_compared": result.compared,
        "keys_left_out": {str(reason): count for reason, count in sorted(result.left_out.items())},
        "sinks_left_out": list(verified.unread_sinks),
        "findings_expected": result.expected,
        "findings_found": result.found,
        "missing": [_plain_difference(one) for one in _all(result) if one.what == "missing"],
        "false": [_plain_difference(one) for one in _all(result) if one.what == "false"],
    }


def _plain_difference(one: _Difference) -> dict[str, object]:
    where = one.position
    return {
        "id": one.id,
        "layer": str(one.layer),
        "stage": one.stage,
        "cluster_id": where.cluster_id if where else None,
        "topic_id": where.topic_id if where else None,
        "physical_topic": where.topic if where else None,
        "partition": where.partition if where else None,
        "offset": where.offset if where else None,
        "ordinal": one.ordinal,
    }
