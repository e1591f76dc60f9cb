"""Replays that somebody announces in the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from dupscope.config.problems import Problems, nearest_of_all
from dupscope.config.tree import MAX_REASONS, ReplayNode
from dupscope.model.replay import Replay
from dupscope.model.topology import SOURCE


def replays(
    nodes: Sequence[ReplayNode], stages: Mapping[str, Collection[str]], problems: Problems
) -> dict[str, tuple[Replay, ...]]:
    """The replays of each pipeline that has one. `stages` are the names of each pipeline's stages."""
    found: dict[str, tuple[Replay, ...]] = {}
    for index, node in enumerate(nodes):
        for key, what in _wrong(node, stages):
            problems.add(f"replays[{index}].{key}", what)
        replay = Replay(node.stage, int(node.from_), int(node.to), node.reason)
        found[node.pipeline] = (*found.get(node.pipeline, ()), replay)
    reasons = {node.reason for node in nodes}
    if len(reasons) > MAX_REASONS:
        what = f"{len(reasons)} different reasons; the most is {MAX_REASONS}, since each becomes a label"
        problems.add("replays", what)
    return found


def _wrong(node: ReplayNode, stages: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    """Keys that do not fit, with what to do. A time that could not be read is 0, and was reported."""
    if node.pipeline and node.pipeline not in stages:
        what = f"there is no pipeline '{node.pipeline}'; {nearest_of_all(node.pipeline, stages)}"
        yield "pipeline", what
    known = stages.get(node.pipeline, ())
    if node.stage and known and node.stage not in known:
        yield "stage", f"there is no stage '{node.stage}'; {nearest_of_all(node.stage, known)}"
    if node.to and node.from_ >= node.to:
        yield "to", f"'{node.to}' is not later than from, '{node.from_}'; change one of them"


def stages_in(document: Mapping[object, object]) -> dict[str, list[str]]:
    """The names of each pipeline's stages in a document of which nothing has been checked."""
    found = {}
    for name, pipeline in _mapping(document.get("pipelines")).items():
        own = _mapping(pipeline)
        found[str(name)] = [
            SOURCE,
            *map(str, _mapping(own.get("mirrors"))),
            *map(str, _mapping(own.get("sinks"))),
        ]
    return found


def _mapping(raw: object) -> Mapping[object, object]:
    return raw if isinstance(raw, dict) else {}
