"""`dupscope check`: whether the configuration is right, what can be reached, and what it will cost."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from dupscope.app.check_audit import look_at_audit
from dupscope.app.check_cost import cost, tell
from dupscope.app.check_describe import describe_intent, describe_pipeline
from dupscope.app.check_logs import Found, Probes, present_topics, tell_groups, tell_logs
from dupscope.app.check_report import Level, Report, Section
from dupscope.app.check_topics import ClusterProbe, servers
from dupscope.app.limits import shares
from dupscope.config.load import load
from dupscope.config.settings import Config
from dupscope.fingerprint.settings import describe
from dupscope.kafka.client import refusals
from dupscope.model.errors import ClusterError, ConfigError
from dupscope.model.replay import Replay

OK, PROBLEM, WRONG_FILE = 0, 1, 2

ANSWER_SECONDS = 5.0
"""How long a cluster may take for one answer."""


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
        _tell_unconnected(config, report, section)
        return report
    with ExitStack() as stack:
        clusters = _reachable(config, section, stack)
        present = present_topics(config.pipelines.values(), clusters, section)
        named = [Found(each, clusters, present) for each in config.pipelines.values()]
        probes = _probed(named, clusters, options)
        founds = [replace(each, probes=probes) for each in named]
        _tell_ids(founds, section)
        for found in founds:
            _look(found, config.replays.get(found.pipeline.name, ()), report)
    _tell_cost(founds, config, report)
    return report


def _tell_unconnected(config: Config, report: Report, section: Section) -> None:
    accepted = [name for name in config.clusters if name not in {line.where for line in section.lines}]
    for name in accepted:
        section.add(Level.OK, name, "properties are accepted; not connected")
    for name, pipeline in config.pipelines.items():
        describe_pipeline(pipeline, config.replays.get(name, ()), report.section(f"pipeline {name}"))


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


def _probed(founds: Sequence[Found], clusters: Mapping[str, ClusterProbe], options: CheckOptions) -> Probes:
    """Look at every topic twice, so far apart that the growth in between tells the rate."""
    windows: dict[tuple[str, str], float] = {}
    for found in founds:
        for cluster, topic in found.names(range(len(found.topics))):
            if cluster in clusters:
                longest = max(windows.get((cluster, topic), 0.0), found.pipeline.window_seconds)
                windows[cluster, topic] = longest
    probes = {
        (cluster, topic): clusters[cluster].look(topic, options.sample, window)
        for (cluster, topic), window in windows.items()
    }
    threading.Event().wait(options.seconds if probes else 0)
    for (cluster, _), probe in probes.items():
        if probe.refusal is None:
            clusters[cluster].measure(probe)
    return probes


def _tell_ids(founds: Sequence[Found], section: Section) -> None:
    """Say of a cluster that it cannot tell a topic from another one of the same name."""
    seen: dict[str, list[str]] = {}
    for found in founds:
        for probe in found.usable(range(len(found.topics))):
            seen.setdefault(probe.cluster.name, []).append(probe.topic)
    clusters = founds[0].clusters if founds else {}
    for name, topics in seen.items():
        if not clusters[name].tells_topic_ids(topics):
            text = "tells no topic ids: that a topic was deleted and created again is noticed only when it"
            section.add(Level.NOTE, name, f"{text} became shorter than it was read")


def _look(found: Found, replays: Sequence[Replay], report: Report) -> None:
    pipeline = found.pipeline
    section = report.section(f"pipeline {pipeline.name}: the key is {describe(pipeline.key)}")
    tell_logs(found, section)
    for index in range(len(pipeline.topology.sinks)):
        tell_groups(found, index, section)
        look_at_audit(pipeline, index, section)
    describe_intent(pipeline.redrive, replays, section)


def _tell_cost(founds: Sequence[Found], config: Config, report: Report) -> None:
    costs = {}
    for found in founds:
        sources = found.pipeline.topology.sources
        seen = found.usable(sources)
        if seen and len(seen) == len(found.names(sources)):
            rate = sum(probe.records_per_second for probe in seen)
            costs[found.pipeline.name] = cost(found.pipeline, rate)
    if costs:
        tell(costs, config.limits, shares(config), report.section("limits"))
