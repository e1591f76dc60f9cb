"""The stages of one pipeline: names, who copies whom, who reads what, and which topics are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dupscope.config.problems import Problems, join, nearest, nearest_of_all
from dupscope.config.topics import Upstream, mirrored, selected, without
from dupscope.config.tree import MirrorNode, PipelineNode, SinkNode, SourceNode
from dupscope.kafka.selection import TopicSelection
from dupscope.model.topology import MAX_LOGS, SOURCE, Log, Sink, TagParts, Topology

_NO_SOURCE = SourceNode(cluster="", topics=[])


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one pipeline and, for each log, its topics."""

    topology: Topology
    topics: tuple[TopicSelection, ...]

    def only_topic_of(self, sink: int) -> str | None:
        """The logical topic that a sink reads, None where it reads several or those of a pattern."""
        read = [self.topics[log] for log in self.topology.sinks[sink].reads]
        found = {logical for topics in read for logical in topics.names.values()}
        return found.pop() if len(found) == 1 and not any(topics.patterns for topics in read) else None


@dataclass(slots=True)
class _Logs:
    """The logs as they are found: sources, then mirrors. They are known by the names that the file uses."""

    logs: list[Log] = field(default_factory=list)
    topics: list[TopicSelection] = field(default_factory=list)
    named: dict[str, list[int]] = field(default_factory=dict)

    def add(self, log: Log, topics: TopicSelection, *names: str) -> None:
        for name in names:
            self.named.setdefault(name, []).append(len(self.logs))
        self.logs.append(log)
        self.topics.append(topics)

    def upstream(self, name: str) -> Upstream:
        return Upstream(name, [self.topics[log] for log in self.named[name]])

    def claimed(self) -> tuple[TopicSelection, ...]:
        """The topics of each log; what a mirror writes is no source, though a source's pattern may match."""
        return tuple(
            topics if log.upstream else without(topics, self._mirrored_to(log.cluster))
            for log, topics in zip(self.logs, self.topics, strict=True)
        )

    def _mirrored_to(self, cluster: str) -> list[TopicSelection]:
        pairs = zip(self.logs, self.topics, strict=True)
        return [topics for log, topics in pairs if log.upstream and log.cluster == cluster]


def stages(name: str, node: PipelineNode, clusters: Collection[str], problems: Problems) -> Stages:
    """The stages of a pipeline. What does not fit is reported and left out."""
    path = join("pipelines", name)
    _check_names(node, path, problems)
    _check_clusters(node, path, clusters, problems)
    _check_expectations(node, path, problems)
    found = _Logs()
    for where, source in _sources(node):
        topics = selected(source.topics, join(path, f"{where}.topics"), problems)
        found.add(Log(SOURCE, source.cluster), topics, SOURCE, f"{SOURCE}@{source.cluster}")
    for stage in _upstream_first(node, join(path, "mirrors"), problems):
        mirror = node.mirrors[stage]
        topics = mirrored(mirror, found.upstream(mirror.from_), join(path, f"mirrors.{stage}"), problems)
        found.add(Log(stage, mirror.cluster, tuple(found.named[mirror.from_]), _tag(mirror)), topics, stage)
    sinks = tuple(
        _sink(stage, sink, _reads(sink, node, join(path, f"sinks.{stage}"), problems), found.named)
        for stage, sink in node.sinks.items()
    )
    return Stages(Topology(name, tuple(found.logs[:MAX_LOGS]), sinks), found.claimed())


def _sources(node: PipelineNode) -> list[tuple[str, SourceNode]]:
    """The sources with their paths below the pipeline; an empty one where the file has none."""
    if len(node.source) > 1:
        return [(f"source[{index}]", source) for index, source in enumerate(node.source)]
    return [("source", source) for source in node.source or (_NO_SOURCE,)]


def _source_names(node: PipelineNode) -> list[str]:
    """What the sources can be called, the name of all first."""
    return [SOURCE, *dict.fromkeys(f"{SOURCE}@{source.cluster}" for source in node.source if source.cluster)]


def _shown(names: Sequence[str], node: PipelineNode) -> list[str]:
    """Of the names of logs those that are worth telling: a source alone needs no cluster."""
    return [name for name in names if len(node.source) > 1 or not name.startswith(f"{SOURCE}@")]


def _check_names(node: PipelineNode, path: str, problems: Problems) -> None:
    for section, names in (("mirrors", node.mirrors), ("sinks", node.sinks)):
        if SOURCE in names:
            problems.add(join(path, f"{section}.{SOURCE}"), "'source' is the source's name; choose another")
    if len(node.source) + len(node.mirrors) > MAX_LOGS:
        problems.add(path, f"a pipeline can have {MAX_LOGS} sources and mirrors together; split it")
    for name in node.mirrors.keys() & node.sinks.keys():
        problems.add(join(path, f"sinks.{name}"), "a mirror has this name too; stages need different names")


def _check_expectations(node: PipelineNode, path: str, problems: Problems) -> None:
    for name, sink in node.sinks.items():
        if sink.expects is not None and (sink.audit is None or sink.group is None):
            what = "needs the sink's 'audit' and 'group': what did not happen is known from what did"
            problems.add(join(path, f"sinks.{name}.expects"), what)


def _check_clusters(node: PipelineNode, path: str, clusters: Collection[str], problems: Problems) -> None:
    named = [(where, source.cluster) for where, source in _sources(node)]
    named += [(f"mirrors.{name}", mirror.cluster) for name, mirror in node.mirrors.items()]
    for where, cluster in named:
        if cluster and cluster not in clusters:
            what = f"there is no cluster '{cluster}'; {nearest(cluster, clusters)}"
            problems.add(join(path, f"{where}.cluster"), what)
    first: dict[str, str] = {}
    for where, source in _sources(node):
        if source.cluster and first.setdefault(source.cluster, where) != where:
            what = f"'{source.cluster}' is the cluster of {first[source.cluster]} too"
            problems.add(join(path, f"{where}.cluster"), f"{what}; list its topics in one entry")


def _upstream_first(node: PipelineNode, path: str, problems: Problems) -> list[str]:
    """The mirrors that descend from a source, each after the one that it copies."""
    order: list[str] = []
    sources = _source_names(node)
    waiting = {name: mirror for name, mirror in node.mirrors.items() if name not in sources}
    while ready := [name for name, mirror in waiting.items() if mirror.from_ in (*sources, *order)]:
        order += ready
        for name in ready:
            del waiting[name]
    for name, mirror in waiting.items():
        where = f"{path}.{name}.from"
        if mirror.from_ not in node.mirrors:
            others = [*_shown(sources, node), *(other for other in node.mirrors if other != name)]
            what = f"there is no stage '{mirror.from_}'; {nearest_of_all(mirror.from_, others)}"
            problems.add(where, what)
        elif name in (chain := _chain(node.mirrors, name)):
            problems.add(
                where,
                f"mirrors copy each other in a circle ({' from '.join([name, *chain])}); "
                "let one copy 'source'",
            )
    return order


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


def _sink(name: str, node: SinkNode, reads: Sequence[str], named: Mapping[str, Sequence[int]]) -> Sink:
    logs = dict.fromkeys(log for stage in reads for log in named.get(stage, ()))
    expects = node.expects is not None
    return Sink(name, tuple(logs), node.group, ordered=node.order == "strict", expects=expects)


def _reads(sink: SinkNode, node: PipelineNode, path: str, problems: Problems) -> Sequence[str]:
    """The logs that a sink reads, by name; in a pipeline without mirrors the source need not be named."""
    known = [*_source_names(node), *node.mirrors]
    if sink.reads is None and node.mirrors:
        what = f"is missing; name the logs that it reads, for example [{known[-1]}]"
        problems.add(join(path, "reads"), what)
    reads = sink.reads or [SOURCE]
    for index, stage in enumerate(reads):
        if stage and stage not in known:
            what = f"there is no log '{stage}'; {nearest_of_all(stage, _shown(known, node))}"
            problems.add(f"{path}.reads[{index}]", what)
        elif stage in reads[:index]:
            problems.add(f"{path}.reads[{index}]", f"'{stage}' is given twice; keep one")
        elif stage.startswith(f"{SOURCE}@") and SOURCE in reads:
            problems.add(f"{path}.reads[{index}]", f"'{stage}' is in '{SOURCE}' already; keep one")
    return reads
