"""Where an audit log that is a topic begins, and how long its cluster may take for an answer."""

from __future__ import annotations

from dataclasses import replace

from dupscope.app.clusters import Clusters
from dupscope.app.tails import start_of
from dupscope.audit.settings import AuditSettings, TopicSource
from dupscope.config.settings import PipelineSettings
from dupscope.kafka.starts import Start


def started(audit: AuditSettings, pipeline: PipelineSettings, clusters: Clusters) -> AuditSettings:
    """The settings for a first start now: as far back as the source, and a margin more."""
    source = audit.source
    if not isinstance(source, TopicSource):
        return audit
    start = start_of(pipeline, pipeline.topology.sources[0], clusters.started_ms)
    if start.timestamp_ms is not None:
        start = Start("timestamp", start.timestamp_ms - int(pipeline.margin_seconds * 1000))
    cluster = clusters.settings[source.cluster.name]
    return replace(audit, source=replace(source, cluster=cluster, start=start))
