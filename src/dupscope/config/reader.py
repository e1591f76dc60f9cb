"""Reads what YAML gave into the tree's structs, and reports all that does not fit, not only the first."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

from dupscope.config import values
from dupscope.config.problems import Problems, close, join, nearest
from dupscope.config.tree import FileReference, Node
from dupscope.fingerprint.settings import KeySpec

Form: TypeAlias = Any
"""A type as an annotation writes it: a class, `list[str]`, `str | None`, `Annotated[…]`."""

Typed: TypeAlias = Any
"""A value of the form that was asked for."""

PARSERS: dict[type, Callable[[object], object]] = {
    values.Duration: values.parse_duration,
    values.Size: values.parse_size,
    values.Moment: values.parse_moment,
    values.StartAt: values.parse_start,
    values.ListenAddress: values.parse_listen,
    values.PolicySpec: values.parse_policy,
    values.PropertySpec: values.parse_property,
    FileReference: lambda raw: FileReference(values.parse_file_reference(raw)),
    KeySpec: values.parse_key,
}


class Reader:
    """Turns raw values into the types of the tree.

    A value that does not fit is reported, and its default (or an empty value of its type) stands in, so that
    reading goes on and whatever else is wrong is reported too.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def read(self, kind: Form, raw: object, path: str) -> Typed:
        """`raw` as `kind`, a type as the tree's annotations write it."""
        kind, meta = unwrap(kind)
        if kind in PARSERS:
            return self._parse(kind, raw, path)
        if isinstance(kind, type) and issubclass(kind, Node):
            return self._node(kind, raw, path)
        origin = origin_of(kind)
        if origin is list:
            return self._list(kind, raw, path, meta)
        if origin is dict:
            return self._dict(kind, raw, path, meta)
        if origin is Literal:
            return self._choice(get_args(kind), raw, path)
        return self._scalar(kind, raw, path, meta)

    def _parse(self, kind: type, raw: object, path: str) -> object:
        try:
            return PARSERS[kind](raw)
        except ValueError as error:
            self._problems.add(path, str(error))
            return stand_in(kind)

    def _node(self, kind: type[Node], raw: object, path: str) -> Typed:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        if not isinstance(raw, dict):
            self._problems.add(
                path, f"{values.describe(raw)} must be a mapping; known here: {', '.join(fields)}"
            )
            return stand_in(kind)
        meant = self._unknown([str(name) for name in raw if name not in fields], list(fields), path)
        given = {}
        for name, field in fields.items():
            if name in raw:
                given[field.name] = self._field(kind, field, raw[name], join(path, name))
            elif field.required:
                if name not in meant:
                    self._problems.add(join(path, name), f"is missing; for example {_example(kind, field)}")
                given[field.name] = stand_in(hints(kind)[field.name])
        return kind(**given)

    def _unknown(self, names: list[str], known: list[str], path: str) -> set[str]:
        """Report unknown keys. Gives the known keys that they seem to stand for."""
        meant: set[str] = set()
        for name in names:
            self._problems.add(join(path, name), f"unknown key; {nearest(name, known)}")
            meant.update(close(name, known))
        return meant

    def _field(self, kind: type[Node], field: msgspec.structs.FieldInfo, raw: object, path: str) -> Typed:
        if raw is None and field.default is None:
            return None
        before = len(self._problems)
        value = self.read(hints(kind)[field.name], raw, path)
        unfit = len(self._problems) > before and not isinstance(value, Node | list | dict)
        if unfit and not field.required:
            return field.default
        return value

    def _list(self, kind: Form, raw: object, path: str, meta: msgspec.Meta | None) -> list[Typed]:
        (item,) = get_args(kind)
        if stands_alone(meta) and not isinstance(raw, list):
            return [self.read(item, raw, path)]
        if raw in (None, []) and meta and meta.min_length == 0:
            return []
        if not isinstance(raw, list) or not raw:
            self._problems.add(path, f"{values.describe(raw)} must be a list with at least one entry: [a, b]")
            return []
        return [self.read(item, entry, f"{path}[{index}]") for index, entry in enumerate(raw)]

    def _dict(self, kind: Form, raw: object, path: str, meta: msgspec.Meta | None) -> dict[str, Typed]:
        _, item = get_args(kind)
        if not isinstance(raw, dict):
            self._problems.add(path, f"{values.describe(raw)} must be a mapping of names to values")
            return {}
        if not raw and meta and meta.min_length and meta.examples:
            self._problems.add(path, f"has no entry; for example '{flow(meta.examples[0])}'")
        for name in raw:
            if not isinstance(name, str):
                self._problems.add(join(path, name), "this name is not text; put it in quotes")
        return {str(name): self.read(item, entry, join(path, name)) for name, entry in raw.items()}

    def _choice(self, known: tuple[str, ...], raw: object, path: str) -> str:
        if raw in known:
            return str(raw)
        self._problems.add(path, f"{values.describe(raw)} is not known; {nearest(str(raw), known)}")
        return known[0]

    def _scalar(self, kind: type, raw: object, path: str, meta: msgspec.Meta | None) -> Typed:
        words = {str: "text", int: "a whole number", bool: "true or false"}
        if type(raw) is not kind:
            hint = "; put it in quotes" if kind is str and isinstance(raw, int | float) else ""
            self._problems.add(path, f"{values.describe(raw)} must be {words[kind]}{hint}")
            return kind()
        lowest = (meta.gt + 1 if meta.gt is not None else meta.ge) if meta else None
        if lowest is not None and isinstance(raw, int) and raw < lowest:
            self._problems.add(path, f"'{raw}' is too small; the least is {lowest}")
        if kind is str and not raw:
            self._problems.add(path, "is empty; name it or leave the key out")
        longest = meta.max_length if meta else None
        if longest is not None and isinstance(raw, str) and len(raw) > longest:
            self._problems.add(path, f"has {len(raw)} characters; the most is {longest}")
        return raw


def unwrap(kind: Form) -> tuple[Form, msgspec.Meta | None]:
    """A type without `Annotated` and without `| None`, and its `Meta` if it has one."""
    meta = None
    if origin_of(kind) is Annotated:
        kind, meta = kind.__origin__, kind.__metadata__[0]
    if origin_of(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    return kind, meta


def stands_alone(meta: msgspec.Meta | None) -> bool:
    """Whether a list's only entry may stand without brackets."""
    return bool(meta and meta.extra and meta.extra.get("alone"))


def origin_of(kind: Form) -> Form:
    """What a form is an instance of: `list` for `list[str]`, None for a plain class."""
    return get_origin(kind)


@cache
def hints(kind: type[Node]) -> dict[str, Form]:
    """The annotated type of each attribute of a node."""
    return get_type_hints(kind, include_extras=True)


def stand_in(kind: Form) -> object:
    """An empty value of a type."""
    kind, _ = unwrap(kind)
    if kind is KeySpec:
        return KeySpec("kafka_key", ())
    if isinstance(kind, type) and issubclass(kind, Node):
        fields = (field for field in msgspec.structs.fields(kind) if field.required)
        return kind(**{field.name: stand_in(hints(kind)[field.name]) for field in fields})
    origin = origin_of(kind)
    return (origin or kind)()


def _example(kind: type[Node], field: msgspec.structs.FieldInfo) -> str:
    _, meta = unwrap(hints(kind)[field.name])
    assert meta is not None
    assert meta.examples, f"{kind.__name__}.{field.name} is required: it needs an example"
    return f"'{field.encode_name}: {flow(meta.examples[0])}'"


def flow(value: object) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(entry) for entry in value) + "]"
    return str(value)
