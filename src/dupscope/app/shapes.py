"""What the metrics need to know of a pipeline before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dupscope.audit.reasons import InvalidReason
from dupscope.config.settings import PipelineSettings
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.kafka.errors import (
    LOG_START_MOVED,
    OFFSET_OUT_OF_RANGE,
    TOPIC_DELETED,
    TOPIC_MISSING,
    TOPIC_RECREATED,
)
from dupscope.model.finding import Reason
from dupscope.model.layer import Layer
from dupscope.model.replay import REDRIVE, Replay
from dupscope.model.topology import Topology
from dupscope.telemetry.shape import PipelineShape, StageShape, TailShape

STATE_LOST = "state_lost"
"""What was known of a pipeline is gone: its store was damaged, or its configuration is another one now."""

HOLE_REASONS = (OFFSET_OUT_OF_RANGE, LOG_START_MOVED, TOPIC_RECREATED, TOPIC_DELETED, STATE_LOST)
TAIL_ERRORS = (
    "unreachable",
    "access_denied",
    TOPIC_MISSING,
    "all_brokers_down",
    "transport",
    "authentication",
    "topic_authorization_failed",
    "unknown_topic_or_part",
)
"""The client has many more errors; these are the ones to expect. Others get a series when they happen."""


def shape_of(
    settings: PipelineSettings,
    found: Sequence[Mapping[str, str]] | None = None,
    replays: Iterable[Replay] = (),
) -> PipelineShape:
    """The stages, topics, tails and closed reason sets of one pipeline.

    `found` are the topics known by now, by log: physical topic -> logical topic; None: those named.
    """
    topology = settings.topology
    topics = [selection.names for selection in settings.topics] if found is None else found
    declared = dict.fromkeys(replay.reason for replay in replays)
    return PipelineShape(
        name=settings.name,
        stages=tuple(_stages(topology)),
        topics=tuple(dict.fromkeys(logical for log in topology.sources for logical in topics[log].values())),
        tails=tuple(
            TailShape(log.name, log.cluster, topic)
            for index, log in enumerate(topology.logs)
            for topic in topics[index]
        ),
        reasons={
            "intended_duplicates_total": (*((REDRIVE,) if settings.redrive else ()), *declared),
            "unkeyed_records_total": tuple(Unkeyed),
            "unverified_total": tuple(Reason),
            "coverage_holes_total": HOLE_REASONS,
            "tail_errors_total": TAIL_ERRORS,
            "audit_invalid_lines_total": tuple(InvalidReason),
        },
        team=settings.team or "",
    )


def _stages(topology: Topology) -> Iterator[StageShape]:
    for name, logs in topology.stages.items():
        above = [upstream for log in logs for upstream in topology.logs[log].upstream]
        yield StageShape(name, topology.layer(logs[0]), _names(topology, above))
    for sink in topology.sinks:
        yield StageShape(sink.name, Layer.CONSUME, _names(topology, sink.reads))


def _names(topology: Topology, logs: Iterable[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(topology.logs[log].name for log in logs))
