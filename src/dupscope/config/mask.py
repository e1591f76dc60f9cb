"""The effective configuration as plain values that may be shown: defaults filled in, secrets as `***`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from dupscope.config.reader import hints, stands_alone, unwrap
from dupscope.config.tree import Document, FileReference, Node
from dupscope.config.values import Duration, ListenAddress, Moment, PolicySpec, PropertySpec, Size, StartAt
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import ClusterSettings

Plain: TypeAlias = Any
"""A mapping, a list or a scalar, as JSON has them."""

_MASK = "***"
_SHOWN = frozenset({"host", "hostaddr", "port", "dbname", "user", "service", "sslmode", "sslrootcert"})
"""Parameters of a connection that are no secret."""


def plain(document: Document, clusters: Mapping[str, ClusterSettings]) -> dict[str, Plain]:
    """The effective configuration of a document."""
    shown: dict[str, Plain] = written(document)
    shown["clusters"] = {name: settings.masked() for name, settings in clusters.items()}
    return shown


def written(value: object) -> Plain:
    """A value of the tree as mappings, lists and scalars, in the file's own form."""
    if isinstance(value, Node):
        return _written_node(value)
    if isinstance(value, dict):
        return {name: _entry(name, entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [written(entry) for entry in value]
    if isinstance(value, Duration | Size | Moment | StartAt | ListenAddress):
        return str(value)
    return _spec(value)


def _entry(name: str, value: object) -> Plain:
    return _property(name, value) if isinstance(value, PropertySpec) else written(value)


def _property(name: str, spec: PropertySpec) -> Plain:
    """Where a value is kept, or the value itself where it is known to be no secret."""
    if spec.kept_in != "here":
        return {spec.kept_in: spec.value}
    return spec.value if name in _SHOWN else _MASK


def _written_node(node: Node) -> Plain:
    shown = {}
    for field in msgspec.structs.fields(node):
        value = getattr(node, field.name)
        if value is not None:
            _, meta = unwrap(hints(type(node))[field.name])
            alone = stands_alone(meta) and len(value) == 1
            shown[field.encode_name] = written(value[0] if alone else value)
    return shown


def _spec(value: object) -> Plain:
    """A key, a policy or a reference to a file as the file writes it."""
    if isinstance(value, KeySpec):
        if value.kind == "kafka_key":
            return "kafka_key"
        return {value.kind: value.paths[0] if value.kind == "header" else list(value.paths)}
    if isinstance(value, PolicySpec):
        return {"map": dict(value.topics)} if value.kind == "map" else value.kind
    return {"file": str(value)} if isinstance(value, FileReference) else value
