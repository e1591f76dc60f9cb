"""The audit logs of sinks: from the file's tree to settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dupscope.audit.settings import (
    FIELDS,
    AuditSettings,
    FileSource,
    PostgresSource,
    Source,
    TopicSource,
)
from dupscope.config.problems import Problems, join, nearest
from dupscope.config.secrets import Surroundings, resolve
from dupscope.config.stages import Stages
from dupscope.config.topics import selected
from dupscope.config.tree import AuditNode, AuditPostgresNode, AuditTopicNode
from dupscope.kafka.settings import ClusterSettings

_NONE = FileSource("")


@dataclass(frozen=True, slots=True)
class Found:
    """What an audit log's configuration refers to, and where its problems are reported."""

    clusters: Mapping[str, ClusterSettings]
    surroundings: Surroundings
    problems: Problems


def audit(node: AuditNode, composed: Stages, sink: int, found: Found, path: str) -> AuditSettings:
    """The audit settings of a sink. What does not fit is reported and left out."""
    settings = AuditSettings(
        _source(node, found, path),
        group=composed.topology.sinks[sink].group,
        logical_topic=composed.only_topic_of(sink),
    )
    for ours in node.fields:
        if ours not in FIELDS:
            found.problems.add(join(path, f"fields.{ours}"), f"unknown field; {nearest(ours, FIELDS)}")
    try:
        return replace(settings, names=dict(node.fields))
    except ValueError as error:
        found.problems.add(join(path, "fields"), f"{error}; give each field a name of its own")
        return settings


def _source(node: AuditNode, found: Found, path: str) -> Source:
    given = [name for name in ("file", "kafka", "postgres") if getattr(node, name) is not None]
    if len(given) > 1:
        found.problems.add(path, f"has both '{given[0]}' and '{given[1]}'; keep one")
    if not given and not found.problems.has_any(path):
        example = "file: /var/log/charger/audit.jsonl"
        found.problems.add(join(path, "file"), f"is missing; for example '{example}'")
    if node.kafka is not None:
        return _topics(node.kafka, found, join(path, "kafka"))
    if node.postgres is not None:
        return _table(node.postgres, found, join(path, "postgres"))
    return FileSource(str(found.surroundings.path(node.file))) if node.file else _NONE


def _topics(node: AuditTopicNode, found: Found, path: str) -> TopicSource:
    cluster = found.clusters.get(node.cluster)
    if cluster is None:
        what = f"there is no cluster '{node.cluster}'; {nearest(node.cluster, found.clusters)}"
        found.problems.add(join(path, "cluster"), what)
        cluster = ClusterSettings(node.cluster, {})
    return TopicSource(cluster, selected(node.topics, join(path, "topics"), found.problems))


def _table(node: AuditPostgresNode, found: Found, path: str) -> PostgresSource:
    connection = resolve(node.connection, found.surroundings, join(path, "connection"), found.problems)
    return PostgresSource(connection, node.table)
