"""The effective configuration as plain values that may be shown: defaults filled in, secrets as `***`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from dupscope.config.tree import Document, FileReference, Node
from dupscope.config.values import Duration, ListenAddress, PolicySpec, Size, StartAt
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import ClusterSettings

Plain: TypeAlias = Any
"""A mapping, a list or a scalar, as JSON has them."""


def plain(document: Document, clusters: Mapping[str, ClusterSettings]) -> dict[str, Plain]:
    """The effective configuration of a document."""
    shown: dict[str, Plain] = written(document)
    shown["clusters"] = {name: settings.masked() for name, settings in clusters.items()}
    return shown


def written(value: object) -> Plain:
    """A value of the tree as mappings, lists and scalars, in the file's own form."""
    if isinstance(value, Node):
        named = ((field.encode_name, getattr(value, field.name)) for field in msgspec.structs.fields(value))
        return {name: written(entry) for name, entry in named if entry is not None}
    if isinstance(value, dict):
        return {name: written(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [written(entry) for entry in value]
    if isinstance(value, Duration | Size | StartAt | ListenAddress):
        return str(value)
    return _spec(value)


def _spec(value: object) -> Plain:
    """A key, a policy or a reference to a file as the file writes it."""
    if isinstance(value, KeySpec):
        if value.kind == "kafka_key":
            return "kafka_key"
        return {value.kind: value.paths[0] if value.kind == "header" else list(value.paths)}
    if isinstance(value, PolicySpec):
        return {"map": dict(value.topics)} if value.kind == "map" else value.kind
    return {"file": str(value)} if isinstance(value, FileReference) else value
