"""Where the business key of a record is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_VALUE_BYTES = 1 << 20
"""A longer value is not decoded unless the configuration allows it."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    r"""The field or fields that name one business fact.

    `paths` is empty for `kafka_key`, one header name for `header`, and for `json` one dotted path or several
    (a composite key, in this order). A dot that belongs to a name is written `\.`.
    """

    kind: Literal["kafka_key", "header", "json"]
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        allowed = {"kafka_key": range(1), "header": range(1, 2), "json": range(1, 1 << 16)}[self.kind]
        if len(self.paths) not in allowed:
            raise ValueError(f"a key of kind {self.kind!r} cannot have {len(self.paths)} paths")
        if self.kind == "json":
            _check_paths(self.paths)


def _check_paths(paths: tuple[str, ...]) -> None:
    """Refuse paths of which no document could have all."""
    steps = [split_path(path) for path in paths]
    for path, own in zip(paths, steps, strict=True):
        if not all(own):
            raise ValueError(f"the JSON path {path!r} has an empty step")
        if sum(other[: len(own)] == own for other in steps) > 1:
            raise ValueError(f"the JSON path {path!r} is named twice, or leads to a field and through it")


def split_path(path: str) -> tuple[str, ...]:
    r"""The steps of a dotted path; `\.` is a dot within a step."""
    return tuple(step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", path))


def describe(spec: KeySpec) -> str:
    """A key specification in words, for logs and for `check`."""
    if spec.kind == "kafka_key":
        return "the Kafka key"
    if spec.kind == "header":
        return f"the header {spec.paths[0]!r}"
    return "the JSON " + ("path " if len(spec.paths) == 1 else "paths ") + " + ".join(spec.paths)
