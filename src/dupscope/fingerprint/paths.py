"""Decoders of JSON documents that read only the fields at given dotted paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

ODD = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""What decoding bytes of unknown origin can raise (bytes that are not UTF-8 raise a ValueError)."""

Steps = tuple[str, ...]
"""The names on the way to a field, outermost first."""


class Wanted(NamedTuple):
    """A field's msgspec type, and its value where a document lacks it. NODEFAULT refuses the document."""

    type: Any
    default: Any = msgspec.NODEFAULT


Decoder = Callable[[bytes], Any]


def compile_paths(fields: Mapping[Steps, Wanted]) -> tuple[Decoder, Callable[[Any], Any]]:
    """A decoder of a document into an object, and a getter from that object.

    The getter gives the fields as a tuple in the order of `fields`, or the one field as it is. No path may
    begin with another. Of a name that a document repeats, the last one counts. What the fields do not need
    is skipped: it must be JSON, but its strings may hold invalid UTF-8. The decoder raises one of `ODD`.
    """
    attributes = [".".join(_attributes(list(fields), steps)) for steps in fields]
    return msgspec.json.Decoder(_struct(fields)).decode, attrgetter(*attributes)


def _struct(fields: Mapping[Steps, Wanted]) -> type[msgspec.Struct]:
    names = _names(list(fields))
    members = [(f"f{index}", *_member(_below(fields, name))) for index, name in enumerate(names)]
    renamed = {f"f{index}": name for index, name in enumerate(names)}
    return msgspec.defstruct("Step", members, rename=renamed, kw_only=True, gc=False)


def _member(fields: Mapping[Steps, Wanted]) -> tuple[Any, Any]:
    """The type and the default of what a name stands for: the field, or an object that leads to fields."""
    if () in fields:
        kind, default = fields[()]
        return kind, msgspec.field(default=default)
    step = _struct(fields)
    if any(wanted.default is msgspec.NODEFAULT for wanted in fields.values()):
        return step, msgspec.field()
    return step, msgspec.field(default_factory=step)


def _below(fields: Mapping[Steps, Wanted], name: str) -> dict[Steps, Wanted]:
    return {steps[1:]: wanted for steps, wanted in fields.items() if steps[0] == name}


def _names(paths: list[Steps]) -> list[str]:
    return list(dict.fromkeys(steps[0] for steps in paths))


def _attributes(paths: list[Steps], steps: Steps) -> list[str]:
    """The attribute names that lead to the field at `steps` in the object of `_struct`."""
    if not steps:
        return []
    below = [path[1:] for path in paths if path[0] == steps[0]]
    return [f"f{_names(paths).index(steps[0])}", *_attributes(below, steps[1:])]
