"""What is found out about the topics of a pipeline's logs, by asking their clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from re import Pattern

from dupscope.app.check_describe import log_names
from dupscope.app.check_keys import advice, use_of_key
from dupscope.app.check_report import Level, Section, plural
from dupscope.app.check_topics import ClusterProbe, TopicProbe
from dupscope.config.settings import PipelineSettings
from dupscope.fingerprint.propose import percent
from dupscope.fingerprint.unkeyed import Unkeyed
from dupscope.kafka.topic_configs import LOG_APPEND_TIME
from dupscope.model.errors import ClusterError

_UNKEYED = {
    Unkeyed.NULL_KEY: "it is null",
    Unkeyed.MISSING_PATH: "there is none under this name",
    Unkeyed.UNDECODABLE: "the value is no JSON",
    Unkeyed.NOT_SCALAR: "it is an object or a list",
    Unkeyed.OVERSIZE: "value or key is too long",
}

SHOWN_TOPICS = 3

Probes = Mapping[tuple[str, str], TopicProbe]
"""(cluster, topic) -> what was seen."""


@dataclass(frozen=True)
class Found:
    """What the clusters have of one pipeline.

    clusters  those that answer
    present   all topics of clusters in which a pattern looks for some
    probes    what was seen of each topic; a topic whose cluster is away is not in it
    """

    pipeline: PipelineSettings
    clusters: Mapping[str, ClusterProbe]
    present: Mapping[str, Sequence[str]]
    probes: Probes = field(default_factory=dict)

    @cached_property
    def topics(self) -> list[dict[str, str]]:
        """For each log: physical topic -> logical topic, those that patterns find included."""
        pairs = zip(self.pipeline.topology.logs, self.pipeline.topics, strict=True)
        return [topics.chosen(self.present.get(log.cluster, ())) for log, topics in pairs]

    def names(self, logs: Iterable[int]) -> list[tuple[str, str]]:
        """(cluster, topic) of all topics of some logs."""
        topology = self.pipeline.topology
        return [(topology.logs[log].cluster, topic) for log in logs for topic in self.topics[log]]

    def usable(self, logs: Iterable[int]) -> list[TopicProbe]:
        """The topics of some logs that could be looked at."""
        probes = [self.probes.get(name) for name in self.names(logs)]
        return [probe for probe in probes if probe is not None and probe.refusal is None]


def present_topics(
    pipelines: Iterable[PipelineSettings], clusters: Mapping[str, ClusterProbe], section: Section
) -> dict[str, list[str]]:
    """All topics of each cluster in which a pattern looks for some, as far as the clusters tell."""
    asked = {
        log.cluster: None
        for pipeline in pipelines
        for log, topics in zip(pipeline.topology.logs, pipeline.topics, strict=True)
        if topics.patterns and log.cluster in clusters
    }
    found = {}
    for name in asked:
        try:
            found[name] = clusters[name].topics()
        except ClusterError as error:
            section.add(Level.PROBLEM, name, f"its topics cannot be listed: {error}")
    return found


def tell_logs(found: Found, section: Section) -> None:
    """Say what was seen of every log, its topics and its patterns."""
    pipeline = found.pipeline
    for index, log in enumerate(pipeline.topology.logs):
        where = pipeline.topology.title(index)
        for topic, logical in found.topics[index].items():
            probe = found.probes.get((log.cluster, topic))
            if probe is None:
                section.add(Level.PROBLEM, where, f"{topic}: not looked at, cluster {log.cluster} is away")
            elif probe.refusal:
                section.add(Level.PROBLEM, where, f"{topic}: {probe.refusal}")
            else:
                _tell_topic(pipeline, index, logical, probe, section)
        _tell_patterns(found, index, section)
        _tell_timestamps(found, index, section)
    _tell_shared(found, section)


def _tell_patterns(found: Found, log: int, section: Section) -> None:
    """Patterns that find nothing: the topics may be created later, or the pattern is wrong."""
    topology = found.pipeline.topology
    cluster, where = topology.logs[log].cluster, topology.title(log)
    for pattern in found.pipeline.topics[log].patterns:
        if cluster not in found.present:
            text = f"{pattern.pattern}: not looked at, the topics of cluster {cluster} are not known"
            section.add(Level.PROBLEM, where, text)
        elif not any(pattern.fullmatch(topic) for topic in found.topics[log]):
            section.add(Level.WARNING, where, f"{pattern.pattern}: {_why_empty(found, log, pattern)}")


def _why_empty(found: Found, log: int, pattern: Pattern[str]) -> str:
    topology = found.pipeline.topology
    own = topology.logs[log]
    strangers = [topic for topic in found.present[own.cluster] if pattern.fullmatch(topic)]
    if not strangers or not own.upstream:
        return "no topic matches this pattern yet: correct it, unless the topic is still to come"
    shown, above = ", ".join(strangers[:SHOWN_TOPICS]), log_names(topology, own.upstream)
    return (
        f"matches {shown}, but by the naming policy no topic of {above} has such a copy: correct one of them"
    )


def _tell_timestamps(found: Found, log: int, section: Section) -> None:
    """Whether a mirror's tag may hold timestamps: where brokers set them, copies have others."""
    topology = found.pipeline.topology
    own, where = topology.logs[log], topology.title(log)
    if not own.upstream or own.cluster not in found.clusters:
        return
    for topic, kind in found.clusters[own.cluster].timestamp_types([*found.topics[log]]).items():
        if kind == LOG_APPEND_TIME and own.tag.timestamp:
            text = "brokers set the timestamps, so no copy keeps its own: leave 'timestamp' out of 'tag'"
            section.add(Level.WARNING, where, f"{topic}: message.timestamp.type={kind}: {text}")
        if kind != LOG_APPEND_TIME and not own.tag.timestamp:
            text = "copies keep their timestamps: with 'timestamp' in 'tag' they are told apart better"
            section.add(Level.NOTE, where, f"{topic}: message.timestamp.type={kind}: {text}")


def _tell_shared(found: Found, section: Section) -> None:
    """Topics that belong to several logs, as when a source's pattern matches what a mirror writes."""
    topology = found.pipeline.topology
    pairs = sorted(
        (log.cluster, topic, index)
        for index, log in enumerate(topology.logs)
        for topic in found.topics[index]
    )
    for (cluster, topic), group in groupby(pairs, key=lambda pair: pair[:2]):
        logs = [index for _, _, index in group]
        if len(logs) > 1:
            names = " and ".join(topology.title(log) for log in logs)
            what = "its records count in each; let one stage have it"
            text = f"{topic} on {cluster} belongs to {names}: {what}"
            section.add(Level.WARNING, topology.title(logs[-1]), text)


def _tell_topic(
    pipeline: PipelineSettings, log: int, logical: str, probe: TopicProbe, section: Section
) -> None:
    where, topic = pipeline.topology.title(log), probe.topic
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
    _tell_marked(pipeline, where, probe, section)


def _tell_keys(
    pipeline: PipelineSettings, log: int, logical: str, probe: TopicProbe, section: Section
) -> None:
    where, topic = pipeline.topology.title(log), probe.topic
    use = use_of_key(pipeline, logical, probe.records)
    for reason, count in use.unkeyed.most_common():
        level = Level.WARNING if use.keyed else Level.PROBLEM
        share = percent(count / use.records)
        why = _UNKEYED[Unkeyed(reason)]
        section.add(level, where, f"{topic}: {share} of the sample have no usable business key: {why}")
    if pipeline.topology.is_source(log) and use.coarse:
        level = Level.NOTE if use.changing else Level.WARNING
        section.add(level, where, f"{topic}: {advice(use)}")


def _tell_marked(pipeline: PipelineSettings, where: str, probe: TopicProbe, section: Section) -> None:
    """How many records say that they were sent again on purpose."""
    marked = sum(pipeline.redrive.marks(record.headers) for record in probe.records)
    if not marked:
        return
    share = percent(marked / len(probe.records))
    text = f"{probe.topic}: {share} of the sample are marked as intended replays"
    if marked == len(probe.records):
        what = "no duplicate would count; narrow 'redrive'"
        section.add(Level.WARNING, where, f"{text}: {what}")
    else:
        section.add(Level.NOTE, where, text)


def tell_groups(found: Found, sink: int, section: Section) -> None:
    """Whether a sink's consumer group has ever committed in what the sink reads."""
    own = found.pipeline.topology.sinks[sink]
    seen = found.usable(own.reads)
    if own.group is None or not seen:
        return
    if not any(found.clusters[probe.cluster.name].has_commits(own.group, probe) for probe in seen):
        text = f"group '{own.group}' has committed nothing in what the sink reads: check its name, or its ACL"
        section.add(Level.WARNING, own.name, text)
