"""What a pipeline is, in words: where its records lie, who reads them, and which repeats are meant."""

from __future__ import annotations

from collections.abc import Sequence

from dupscope.app.check_report import Level, Section
from dupscope.config.settings import PipelineSettings
from dupscope.config.values import Moment
from dupscope.fingerprint.settings import describe
from dupscope.kafka.redrive import RedriveMarks
from dupscope.kafka.selection import TopicSelection
from dupscope.model.replay import Replay
from dupscope.model.topology import SOURCE, Topology


def describe_pipeline(pipeline: PipelineSettings, replays: Sequence[Replay], section: Section) -> None:
    """Everything that the file alone can tell, for a check that connects to nothing."""
    topology = pipeline.topology
    for index, (log, topics) in enumerate(zip(topology.logs, pipeline.topics, strict=True)):
        copies = f", copies {log_names(topology, log.upstream)}" if log.upstream else ""
        text = f"{', '.join(entries(topics))} on cluster {log.cluster}{copies}"
        section.add(Level.OK, topology.title(index), text)
    for index, sink in enumerate(topology.sinks):
        audit = f"audit {pipeline.audits[index].source}" if index in pipeline.audits else "no audit log"
        section.add(Level.OK, sink.name, f"reads {log_names(topology, sink.reads)}; {audit}")
    section.add(Level.OK, "key", describe(pipeline.key))
    describe_intent(pipeline.redrive, replays, section)


def describe_intent(redrive: RedriveMarks, replays: Sequence[Replay], section: Section) -> None:
    """Which repeats somebody meant; nothing where none are."""
    if redrive:
        section.add(Level.OK, "redrive", f"records {_marked(redrive)} are intended replays")
    for replay in replays:
        span = f"from {Moment(replay.from_ms)} to {Moment(replay.to_ms)}"
        text = f"duplicates of {replay.stage} {span} are intended: {replay.reason}"
        section.add(Level.OK, "replays", text)


def _marked(redrive: RedriveMarks) -> str:
    parts = []
    if redrive.headers:
        parts.append(f"with header {' or '.join(sorted(redrive.headers))}")
    if redrive.producer_header and redrive.producers:
        parts.append(
            f"of producer {' or '.join(sorted(redrive.producers))} (header {redrive.producer_header})"
        )
    return ", and those ".join(parts)


def entries(topics: TopicSelection) -> list[str]:
    """The topics of a log as the file writes them: names, then patterns."""
    return [*topics.names, *(pattern.pattern for pattern in topics.patterns)]


def log_names(topology: Topology, logs: Sequence[int]) -> str:
    """What the file calls several logs; all sources together are `source`."""
    if set(topology.sources) <= set(logs):
        names = [SOURCE if topology.is_source(log) else topology.title(log) for log in logs]
    else:
        names = [topology.title(log) for log in logs]
    return " and ".join(dict.fromkeys(names))
