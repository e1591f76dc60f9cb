"""From the file's tree to settings: everything that needs more than one key to judge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dupscope.config.audits import Found, audit
from dupscope.config.mask import plain
from dupscope.config.problems import Problems, join
from dupscope.config.replays import replays
from dupscope.config.secrets import Surroundings, resolve
from dupscope.config.settings import Config, Limits, LogSettings, PipelineSettings
from dupscope.config.stages import stages
from dupscope.config.tree import Document, LimitsNode, PipelineNode, RedriveNode
from dupscope.config.values import PropertySpec, Size
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.settings import DENIED, ClusterSettings
from dupscope.model.topology import SOURCE

LEAST_DISK = 128 << 20
"""Half of this goes to the write-ahead log and to one long commit, however few keys there are."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def compose(file: Path, document: Document, env: Mapping[str, str], problems: Problems) -> Config:
    """The configuration of a document. Meaningless, though complete, when there are problems."""
    surroundings = Surroundings(file.parent, env)
    _check_names(document, problems)
    clusters = clusters_of(document.clusters, surroundings, problems)
    pipelines = {
        name: _pipeline(name, node, clusters, surroundings, problems)
        for name, node in document.pipelines.items()
    }
    stages_of = {name: [SOURCE, *node.mirrors, *node.sinks] for name, node in document.pipelines.items()}
    state_path = surroundings.path(document.state.path)
    key = document.fingerprint_key
    return Config(
        file=file,
        clusters=clusters,
        pipelines=pipelines,
        replays=replays(document.replays, stages_of, problems),
        state_path=state_path,
        journal_bytes=int(document.state.journal),
        fingerprint_key=surroundings.path(key) if key else state_path / "fingerprint.key",
        limits=_limits(document.limits, problems),
        listen=document.web.listen,
        log=LogSettings(document.log.level, document.log.findings_per_second),
        masked=plain(document, clusters),
    )


def _limits(node: LimitsNode, problems: Problems) -> Limits:
    if node.disk < LEAST_DISK:
        text = f"'{node.disk}' is too little for a store at work; write at least '{Size(LEAST_DISK)}'"
        problems.add("limits.disk", text)
    return Limits(int(node.memory), int(node.disk), node.fetch_rate)


def _check_names(document: Document, problems: Problems) -> None:
    """Names become label values and parts of file names: keep them plain."""
    names = [("clusters", name) for name in document.clusters]
    for pipeline, node in document.pipelines.items():
        path = join("pipelines", pipeline)
        names.append(("pipelines", pipeline))
        names += [(f"{path}.mirrors", name) for name in node.mirrors]
        names += [(f"{path}.sinks", name) for name in node.sinks]
    for path, name in names:
        if not _NAME.fullmatch(name):
            problems.add(join(path, name), "a name has letters, digits, '_', '-' and '.' only; rename it")


def clusters_of(
    clusters: Mapping[str, Mapping[str, PropertySpec]], surroundings: Surroundings, problems: Problems
) -> dict[str, ClusterSettings]:
    """The settings of each cluster, secrets resolved."""
    return {
        name: cluster_of(name, specs, surroundings, join("clusters", name), problems)
        for name, specs in clusters.items()
    }


def cluster_of(
    name: str, specs: Mapping[str, PropertySpec], surroundings: Surroundings, path: str, problems: Problems
) -> ClusterSettings:
    """The settings of one cluster, whose properties stand at `path`."""
    if "bootstrap.servers" not in specs:
        problems.add(
            join(path, "bootstrap.servers"), "is missing; for example 'bootstrap.servers: kafka-1:9092'"
        )
    for denied in specs.keys() & DENIED.keys():
        problems.add(join(path, denied), f"cannot be set: {DENIED[denied]}; leave it out")
    allowed = {prop: spec for prop, spec in specs.items() if prop not in DENIED}
    return ClusterSettings(name, resolve(allowed, surroundings, path, problems))


def _pipeline(
    name: str,
    node: PipelineNode,
    clusters: Mapping[str, ClusterSettings],
    surroundings: Surroundings,
    problems: Problems,
) -> PipelineSettings:
    path = join("pipelines", name)
    if not node.window > 0:
        problems.add(join(path, "window"), "must be longer than nothing; write for example '24h'")
    composed = stages(name, node, clusters, problems)
    found = Found(clusters, surroundings, problems)
    audits = {
        index: audit(sink.audit, composed, index, found, join(path, f"sinks.{stage}.audit"))
        for index, (stage, sink) in enumerate(node.sinks.items())
        if sink.audit is not None
    }
    return PipelineSettings(
        topology=composed.topology,
        key=node.key,
        topics=composed.topics,
        audits=audits,
        window_seconds=float(node.window),
        margin_seconds=float(node.margin),
        start=node.start,
        team=node.team,
        redrive=_redrive(node.redrive, join(path, "redrive"), problems),
    )


def _redrive(node: RedriveNode | None, path: str, problems: Problems) -> RedriveMarks:
    if node is None:
        return RedriveMarks()
    producers = node.producers
    lists = {"headers": node.headers, "producers.names": producers.names if producers else []}
    for name, entries in lists.items():
        for index, entry in enumerate(entries):
            if entry and entry in entries[:index]:
                problems.add(f"{join(path, name)}[{index}]", f"'{entry}' is given twice; keep one")
    return RedriveMarks(
        frozenset(node.headers),
        producers.header if producers else None,
        frozenset(producers.names if producers else ()),
    )
