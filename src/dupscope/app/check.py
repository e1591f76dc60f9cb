"""`dupscope check`: whether the configuration is right, what can be reached, and what it will cost."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dupscope.app.check_audit import look_at_audit
from dupscope.app.check_cost import cost, tell
from dupscope.app.check_keys import advice, use_of_key
from dupscope.app.check_report import Level, Report, Section, plural
from dupscope.app.check_topics import ClusterProbe, TopicProbe, servers
from dupscope.config.load import load
from dupscope.config.settings import Config, PipelineSettings
from dupscope.fingerprint.propose import percent
from dupscope.fingerprint.settings import describe
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.kafka.client import refusals
from dupscope.model.errors import ClusterError, ConfigError
from dupscope.model.topology import SOURCE

OK, PROBLEM, WRONG_FILE = 0, 1, 2

ANSWER_SECONDS = 5.0
"""How long a cluster may take for one answer."""

_UNKEYED = {
    Unkeyed.NULL_KEY: "it is null",
    Unkeyed.MISSING_PATH: "there is none under this name",
    Unkeyed.UNDECODABLE: "the value is no JSON",
    Unkeyed.NOT_SCALAR: "it is an object or a list",
    Unkeyed.OVERSIZE: "value or key is too long",
}

Probes = Mapping[tuple[str, str], TopicProbe]
"""(cluster, topic) -> what was seen."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to look at: `sample` is in records per topic, `seconds` is how long the rate is measured."""

    offline: bool = False
    as_json: bool = False
    sample: int = 2000
    seconds: float = 3.0


def check_file(file: Path, env: Mapping[str, str], options: CheckOptions) -> int:
    """Check a file, print what was found, give the exit code. Raises ConfigError unless `as_json`."""
    try:
        config = load(file, env)
    except ConfigError as error:
        if not options.as_json:
            raise
        print(json.dumps({"file": str(file), "ok": False, "problems": error.problems}, indent=2))
        return WRONG_FILE
    report = check(config, options)
    print(json.dumps(report.plain(), indent=2) if options.as_json else report.text())
    return PROBLEM if report.count(Level.PROBLEM) else OK


def check(config: Config, options: CheckOptions) -> Report:
    """Look at everything that a configuration names; with `offline`, at the clients' properties only."""
    report = Report(str(config.file))
    section = report.section("clusters")
    for settings in config.clusters.values():
        for refused in refusals(settings):
            text = refused.removeprefix(f"clusters.{settings.name}: ")
            section.add(Level.PROBLEM, settings.name, f"the client refuses a property: {text}")
    if options.offline or section.lines:
        accepted = [name for name in config.clusters if name not in {line.where for line in section.lines}]
        for name in accepted:
            section.add(Level.OK, name, "properties are accepted; not connected")
        for name, pipeline in config.pipelines.items():
            _describe(pipeline, report.section(f"pipeline {name}"))
        return report
    with ExitStack() as stack:
        clusters = _reachable(config, section, stack)
        probes = _probe(config, clusters, options)
        for pipeline in config.pipelines.values():
            _look(pipeline, clusters, probes, report)
    _tell_cost(config, probes, report)
    return report


def _reachable(config: Config, section: Section, stack: ExitStack) -> dict[str, ClusterProbe]:
    found = {}
    for settings in config.clusters.values():
        probe = ClusterProbe(replace(settings, timeout_seconds=ANSWER_SECONDS))
        stack.callback(probe.close)
        try:
            cluster_id = probe.cluster_id()
        except ClusterError:
            text = f"no broker answers at {servers(settings)}: check address, network and credentials"
            section.add(Level.PROBLEM, settings.name, text)
        else:
            section.add(Level.OK, settings.name, f"{servers(settings)} answers, cluster id {cluster_id}")
            found[settings.name] = probe
    return found


def _probe(config: Config, clusters: Mapping[str, ClusterProbe], options: CheckOptions) -> Probes:
    """Look at every topic twice, so far apart that the growth in between tells the rate."""
    windows: dict[tuple[str, str], float] = {}
    for pipeline in config.pipelines.values():
        for log, topics in zip(pipeline.topology.logs, pipeline.topics, strict=True):
            for topic in topics if log.cluster in clusters else ():
                key = (log.cluster, topic)
                windows[key] = max(windows.get(key, 0.0), pipeline.window_seconds)
    probes = {
        (cluster, topic): clusters[cluster].look(topic, options.sample, window)
        for (cluster, topic), window in windows.items()
    }
    threading.Event().wait(options.seconds if probes else 0)
    for (cluster, _), probe in probes.items():
        if probe.refusal is None:
            clusters[cluster].measure(probe)
    return probes


def _describe(pipeline: PipelineSettings, section: Section) -> None:
    """What a pipeline is, for a check that connects to nothing."""
    for log, topics in zip(pipeline.topology.logs, pipeline.topics, strict=True):
        section.add(Level.OK, log.name, f"{', '.join(topics)} on cluster {log.cluster}")
    for index, sink in enumerate(pipeline.topology.sinks):
        reads = " and ".join(pipeline.topology.logs[log].name for log in sink.reads)
        audit = f"audit {pipeline.audits[index].path}" if index in pipeline.audits else "no audit log"
        section.add(Level.OK, sink.name, f"reads {reads}; {audit}")
    section.add(Level.OK, "key", describe(pipeline.key))


def _look(
    pipeline: PipelineSettings, clusters: Mapping[str, ClusterProbe], probes: Probes, report: Report
) -> None:
    section = report.section(f"pipeline {pipeline.name}: the key is {describe(pipeline.key)}")
    for index, log in enumerate(pipeline.topology.logs):
        for topic, logical in pipeline.topics[index].items():
            probe = probes.get((log.cluster, topic))
            if probe is None:
                section.add(Level.PROBLEM, log.name, f"{topic}: not looked at, cluster {log.cluster} is away")
            else:
                _tell_topic(pipeline, index, logical, probe, section)
    for index in range(len(pipeline.topology.sinks)):
        _look_at_group(pipeline, index, clusters, probes, section)
        look_at_audit(pipeline, index, section)


def _look_at_group(
    pipeline: PipelineSettings,
    index: int,
    clusters: Mapping[str, ClusterProbe],
    probes: Probes,
    section: Section,
) -> None:
    sink = pipeline.topology.sinks[index]
    named = [
        (pipeline.topology.logs[log].cluster, topic) for log in sink.reads for topic in pipeline.topics[log]
    ]
    seen = [probes[key] for key in named if key in probes and probes[key].refusal is None]
    if sink.group is None or not seen:
        return
    if not any(clusters[probe.cluster.name].has_commits(sink.group, probe) for probe in seen):
        text = (
            f"group '{sink.group}' has committed nothing in what the sink reads: check its name, or its ACL"
        )
        section.add(Level.WARNING, sink.name, text)


def _tell_topic(
    pipeline: PipelineSettings, log: int, logical: str, probe: TopicProbe, section: Section
) -> None:
    where, topic = pipeline.topology.logs[log].name, probe.topic
    if probe.refusal:
        section.add(Level.PROBLEM, where, f"{topic}: {probe.refusal}")
        return
    partitions = plural(len(probe.ends), "partition")
    if not probe.records:
        why = "is empty" if probe.empty else "gave no record in time, though it has some"
        level = Level.NOTE if probe.empty else Level.WARNING
        section.add(level, where, f"{topic}: {partitions}, {why}; nothing can be said about its keys")
        return
    rate = f"{probe.records_per_second:,.1f} records/s" if probe.records_per_second else "no new record now"
    read = f"read {plural(len(probe.records), 'record')}"
    section.add(Level.OK, where, f"{topic}: {partitions}, {rate}, {read}")
    if not probe.keeps_window:
        held = "deletes records before the window is over: after a longer stop, coverage will have a hole"
        section.add(Level.WARNING, where, f"{topic}: {held}")
    _tell_keys(pipeline, log, logical, probe, section)


def _tell_keys(
    pipeline: PipelineSettings, log: int, logical: str, probe: TopicProbe, section: Section
) -> None:
    where, topic = pipeline.topology.logs[log].name, probe.topic
    use = use_of_key(pipeline, logical, probe.records)
    for reason, count in use.unkeyed.most_common():
        level = Level.WARNING if use.keyed else Level.PROBLEM
        share = percent(count / use.records)
        why = _UNKEYED[Unkeyed(reason)]
        section.add(level, where, f"{topic}: {share} of the sample have no usable business key: {why}")
    if log == SOURCE and use.coarse:
        level = Level.NOTE if use.changing else Level.WARNING
        section.add(level, where, f"{topic}: {advice(use)}")


def _tell_cost(config: Config, probes: Probes, report: Report) -> None:
    costs = {}
    for name, pipeline in config.pipelines.items():
        cluster = pipeline.topology.logs[SOURCE].cluster
        seen = [probes.get((cluster, topic)) for topic in pipeline.topics[SOURCE]]
        if all(probe and probe.refusal is None for probe in seen):
            costs[name] = cost(pipeline, sum(probe.records_per_second for probe in seen if probe))
    if costs:
        tell(costs, config.limits.memory_bytes, report.section("memory"))
