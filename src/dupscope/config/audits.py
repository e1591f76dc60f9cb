"""The audit logs of sinks: from the file's tree to settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dupscope.audit.settings import (
    FIELDS,
    SHIPPERS,
    AuditSettings,
    FileSource,
    PostgresSource,
    Shipping,
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
    topics = selected(node.topics, join(path, "topics"), found.problems)
    if not node.lost_after > 0:
        found.problems.add(join(path, "lost_after"), "must be longer than nothing; write for example '10m'")
    return TopicSource(
        cluster, topics, shipping=_shipping(node, found, path), lost_after=float(node.lost_after)
    )


def _shipping(node: AuditTopicNode, found: Found, path: str) -> Shipping | None:
    """How another program than the agent ships lines; None where none does."""
    usual = SHIPPERS.get(node.shipped_by, Shipping())
    line, file, offset = node.line or usual.line, tuple(node.file) or usual.file, node.offset or usual.offset
    if node.shipped_by == "dupscope":
        given = [name for name in ("line", "file", "offset") if getattr(node, name)]
        for name in given:
            found.problems.add(join(path, name), "is for other shippers; add 'shipped_by: other'")
        return None
    try:
        return Shipping(line, file, offset)
    except ValueError as error:
        found.problems.add(path, f"{error}; give each a path of its own")
        return None


def _table(node: AuditPostgresNode, found: Found, path: str) -> PostgresSource:
    if (node.table is None) == (node.query is None) and not found.problems.has_any(path):
        what = "has both 'table' and 'query'; keep one" if node.table else "has neither 'table' nor 'query'"
        found.problems.add(path, what if node.table else f"{what}; for example 'table: charges'")
    if node.query is not None and node.transaction is None:
        found.problems.add(
            join(path, "transaction"), "is missing: a query's rows have no 'xmin'; name a column"
        )
    connection = resolve(node.connection, found.surroundings, join(path, "connection"), found.problems)
    return PostgresSource(
        connection, node.table or "", node.query or "", node.id, node.transaction, node.reach
    )
