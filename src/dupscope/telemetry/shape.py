"""What a pipeline consists of, as far as metrics need it, and the series that exist because of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from dupscope.model.finding import Kind, Origin
from dupscope.model.layer import Layer
from dupscope.telemetry.catalogue import Metric

Labels = tuple[str, ...]
"""Label values in the order of the catalogue."""

LOG_OUTPUT = "log"


@dataclass(frozen=True, slots=True)
class StageShape:
    """One stage. `reads` are names of stages: a mirror's upstream, or what a sink reads."""

    name: str
    layer: Layer
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TailShape:
    """One physical topic that is read for a stage."""

    stage: str
    cluster: str
    topic: str


@dataclass(frozen=True)
class PipelineShape:
    """One pipeline.

    topics    logical topics
    reasons   by metric name without prefix, the closed set of its `reason` label; a metric not named here has
              no series until it is fed
    """

    name: str
    stages: tuple[StageShape, ...]
    topics: tuple[str, ...]
    tails: tuple[TailShape, ...]
    reasons: Mapping[str, tuple[str, ...]]
    team: str = ""
    shard: int = 0
    shards: int = 1


def series(metric: Metric, shape: PipelineShape) -> Iterator[Labels]:
    """The label values of every series that a metric has for a pipeline, before anything feeds it."""
    if metric.name == "pipeline_info":
        yield shape.name, str(shape.shard), str(shape.shards), shape.team
    elif "cluster" in metric.labels:
        yield from _tail_series(metric, shape)
    elif "stage" in metric.labels:
        for stage in shape.stages:
            if stage.layer in metric.layers:
                yield from product(*(_values(label, metric, shape, stage) for label in metric.labels))
    elif "output" in metric.labels:
        yield shape.name, LOG_OUTPUT
    elif metric.labels == ("pipeline",):
        yield (shape.name,)


def _tail_series(metric: Metric, shape: PipelineShape) -> Iterator[Labels]:
    for tail in shape.tails:
        where = (shape.name, tail.stage, tail.cluster)
        last = (tail.topic,) if "topic" in metric.labels else shape.reasons.get(metric.name, ())
        yield from ((*where, value) for value in last)


def _values(label: str, metric: Metric, shape: PipelineShape, stage: StageShape) -> tuple[str, ...]:
    kinds = (Kind.IDENTICAL,) if stage.layer is Layer.CONSUME else tuple(Kind)
    domains: dict[str, tuple[str, ...]] = {
        "pipeline": (shape.name,),
        "stage": (stage.name,),
        "layer": (stage.layer,),
        "reads": (",".join(stage.reads),),
        "topic": shape.topics,
        "kind": kinds,
        "origin": tuple(Origin),
        "reason": shape.reasons.get(metric.name, ()),
    }
    return domains[label]
