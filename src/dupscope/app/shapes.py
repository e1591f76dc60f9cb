"""What the metrics need to know of a pipeline before anything is counted."""

from __future__ import annotations

from dupscope.audit.reasons import InvalidReason
from dupscope.config.settings import PipelineSettings
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.model.finding import Layer, Reason
from dupscope.model.topology import SOURCE
from dupscope.telemetry.shape import PipelineShape, StageShape, TailShape

HOLE_REASONS = ("offset_out_of_range",)
TAIL_ERRORS = (
    "unreachable",
    "access_denied",
    "topic_missing",
    "all_brokers_down",
    "transport",
    "authentication",
    "topic_authorization_failed",
    "unknown_topic_or_part",
)
"""The client has many more errors; these are the ones to expect. Others get a series when they happen."""


def layer_of(log: int) -> Layer:
    """The layer of a log's stage."""
    return Layer.PRODUCE if log == SOURCE else Layer.MIRROR


def shape_of(settings: PipelineSettings) -> PipelineShape:
    """The stages, topics, tails and closed reason sets of one pipeline."""
    topology = settings.topology
    logs = tuple(
        StageShape(
            log.name,
            layer_of(index),
            () if log.upstream is None else (topology.logs[log.upstream].name,),
        )
        for index, log in enumerate(topology.logs)
    )
    sinks = tuple(
        StageShape(sink.name, Layer.CONSUME, tuple(topology.logs[log].name for log in sink.reads))
        for sink in topology.sinks
    )
    return PipelineShape(
        name=settings.name,
        stages=(*logs, *sinks),
        topics=tuple(dict.fromkeys(settings.topics[SOURCE].values())),
        tails=tuple(
            TailShape(log.name, log.cluster, topic)
            for index, log in enumerate(topology.logs)
            for topic in settings.topics[index]
        ),
        reasons={
            "unkeyed_records_total": tuple(Unkeyed),
            "unverified_total": tuple(Reason),
            "coverage_holes_total": HOLE_REASONS,
            "tail_errors_total": TAIL_ERRORS,
            "audit_invalid_lines_total": tuple(InvalidReason),
        },
        team=settings.team or "",
    )
