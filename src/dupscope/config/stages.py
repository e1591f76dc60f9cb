"""The stages of one pipeline: names, who copies whom, who reads what, and which topics are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dupscope.config.problems import Problems, join, nearest
from dupscope.config.topics import mirrored, plain_names
from dupscope.config.tree import MirrorNode, PipelineNode, SinkNode
from dupscope.model.topology import MAX_LOGS, Log, Sink, TagParts, Topology

SOURCE_NAME = "source"


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one pipeline and, for each log, physical topic -> logical topic."""

    topology: Topology
    topics: tuple[Mapping[str, str], ...]

    def only_topic_of(self, sink: int) -> str | None:
        """The logical topic that a sink reads, None where it reads several."""
        logs = self.topology.sinks[sink].reads
        found = {logical for log in logs for logical in self.topics[log].values()}
        return found.pop() if len(found) == 1 else None


def stages(name: str, node: PipelineNode, clusters: Collection[str], problems: Problems) -> Stages:
    """The stages of a pipeline. What does not fit is reported and left out."""
    path = join("pipelines", name)
    _check_names(node, path, problems)
    _check_clusters(node, path, clusters, problems)
    source = plain_names(node.source.topics, join(path, "source.topics"), problems)
    logs = {SOURCE_NAME: Log(SOURCE_NAME, node.source.cluster)}
    topics: dict[str, Mapping[str, str]] = {SOURCE_NAME: {topic: topic for topic in source}}
    for stage in _upstream_first(node.mirrors, join(path, "mirrors"), problems):
        mirror = node.mirrors[stage]
        topics[stage] = mirrored(mirror, topics[mirror.from_], join(path, f"mirrors.{stage}"), problems)
        logs[stage] = Log(stage, mirror.cluster, list(logs).index(mirror.from_), _tag(mirror))
    reads = {
        stage: _reads(sink, node, join(path, f"sinks.{stage}"), problems)
        for stage, sink in node.sinks.items()
    }
    order = list(logs)
    sinks = tuple(
        Sink(
            stage,
            tuple(order.index(log) for log in dict.fromkeys(reads[stage]) if log in logs),
            sink.group,
            ordered=sink.order == "strict",
        )
        for stage, sink in node.sinks.items()
    )
    return Stages(Topology(name, tuple(logs.values())[:MAX_LOGS], sinks), tuple(topics[log] for log in order))


def _check_names(node: PipelineNode, path: str, problems: Problems) -> None:
    for section, names in (("mirrors", node.mirrors), ("sinks", node.sinks)):
        if SOURCE_NAME in names:
            problems.add(
                join(path, f"{section}.{SOURCE_NAME}"), "'source' is the source's name; choose another"
            )
    if len(node.mirrors) >= MAX_LOGS:
        problems.add(join(path, "mirrors"), f"a pipeline can have {MAX_LOGS - 1} mirrors; split it")
    for name in node.mirrors.keys() & node.sinks.keys():
        problems.add(join(path, f"sinks.{name}"), "a mirror has this name too; stages need different names")


def _check_clusters(node: PipelineNode, path: str, clusters: Collection[str], problems: Problems) -> None:
    named = {"source": node.source.cluster}
    named |= {f"mirrors.{name}": mirror.cluster for name, mirror in node.mirrors.items()}
    for stage, cluster in named.items():
        if cluster and cluster not in clusters:
            what = f"there is no cluster '{cluster}'; {nearest(cluster, clusters)}"
            problems.add(join(path, f"{stage}.cluster"), what)


def _upstream_first(mirrors: Mapping[str, MirrorNode], path: str, problems: Problems) -> list[str]:
    """The mirrors that descend from the source, each after the one that it copies."""
    order: list[str] = []
    waiting = {name: mirror for name, mirror in mirrors.items() if name != SOURCE_NAME}
    while ready := [name for name, mirror in waiting.items() if mirror.from_ in (SOURCE_NAME, *order)]:
        order += ready
        for name in ready:
            del waiting[name]
    for name, mirror in waiting.items():
        where = f"{path}.{name}.from"
        if mirror.from_ not in mirrors:
            problems.add(
                where, f"there is no stage '{mirror.from_}'; {nearest(mirror.from_, _others(mirrors, name))}"
            )
        elif name in (chain := _chain(mirrors, name)):
            problems.add(
                where,
                f"mirrors copy each other in a circle ({' from '.join([name, *chain])}); "
                "let one copy 'source'",
            )
    return order


def _others(mirrors: Mapping[str, MirrorNode], name: str) -> list[str]:
    return [SOURCE_NAME, *(other for other in mirrors if other != name)]


def _chain(mirrors: Mapping[str, MirrorNode], name: str) -> list[str]:
    """The mirrors that `name` copies, nearest first, up to the first repeat."""
    chain: list[str] = []
    upstream = mirrors[name].from_
    while upstream in mirrors and upstream not in chain:
        chain.append(upstream)
        upstream = mirrors[upstream].from_
    return chain


def _tag(mirror: MirrorNode) -> TagParts:
    return TagParts(**{part: part in mirror.tag for part in ("timestamp", "key", "value")})


def _reads(sink: SinkNode, node: PipelineNode, path: str, problems: Problems) -> list[str]:
    """The logs that a sink reads, by name; in a pipeline without mirrors the source need not be named."""
    known = [SOURCE_NAME, *node.mirrors]
    if sink.reads is None and node.mirrors:
        what = f"is missing; name the logs that it reads, for example [{known[-1]}]"
        problems.add(join(path, "reads"), what)
    for index, stage in enumerate(sink.reads or []):
        if stage and stage not in known:
            problems.add(f"{path}.reads[{index}]", f"there is no log '{stage}'; {nearest(stage, known)}")
        elif sink.reads and stage in sink.reads[:index]:
            problems.add(f"{path}.reads[{index}]", f"'{stage}' is given twice; keep one")
    return sink.reads or [SOURCE_NAME]
