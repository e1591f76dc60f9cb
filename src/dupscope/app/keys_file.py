"""A first configuration from what was sampled, with comments that say what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dupscope.fingerprint.propose import Candidate, Proposal
from dupscope.fingerprint.settings import KeySpec
from dupscope.kafka.settings import ClusterSettings


@dataclass(frozen=True, slots=True)
class SampledTopic:
    """What was found out about one topic, and on which cluster."""

    cluster: str
    proposal: Proposal
    partitions: int

    @property
    def topic(self) -> str:
        """Its name."""
        return self.proposal.topic


@dataclass(frozen=True, slots=True)
class Flow:
    """A source topic and the topics that look like mirrors of it.

    A mirror goes with the topic that it copies: the source, or a mirror that stands before it.
    """

    source: SampledTopic
    best: Candidate
    mirrors: tuple[tuple[SampledTopic, SampledTopic], ...]


def flows(topics: Sequence[SampledTopic]) -> list[Flow]:
    """Which of the topics are sources that have a key, and which are mirrors of those.

    A topic is a mirror where its name is an alias, a dot and another one's name, or where it has the name of
    one on another cluster that was sampled before it.
    """
    copies = [(topic, origin) for topic in topics if (origin := _origin(topic, topics)) is not None]
    mirrors = {id(topic) for topic, _ in copies}
    return [
        Flow(topic, topic.proposal.best, tuple(_descendants(topic, copies)))
        for topic in topics
        if id(topic) not in mirrors and topic.proposal.best is not None
    ]


def _descendants(
    origin: SampledTopic, copies: Sequence[tuple[SampledTopic, SampledTopic]]
) -> Iterator[tuple[SampledTopic, SampledTopic]]:
    """The mirrors of a topic, and theirs, each after the one that it copies."""
    for mirror, copied in copies:
        if copied is origin:
            yield mirror, copied
            yield from _descendants(mirror, copies)


def _origin(topic: SampledTopic, topics: Sequence[SampledTopic]) -> SampledTopic | None:
    steps = topic.topic.split(".")
    names = {".".join(steps[count:]): count for count in range(1, len(steps))}
    aliased = [other for other in topics if other.topic in names]
    earlier = topics[: next(place for place, other in enumerate(topics) if other is topic)]
    same = [other for other in earlier if other.topic == topic.topic and other.cluster != topic.cluster]
    return next(iter(sorted(aliased, key=lambda other: names[other.topic]) + same), None)


def first_file(topics: Sequence[SampledTopic], clusters: str) -> str | None:
    """A configuration of all flows that `dupscope check` accepts, None when no topic has a usable key."""
    found = flows(topics)
    return "\n".join([_HEAD, clusters, *_pipelines(found), _TAIL]) if found else None


def clusters_section(clusters: Mapping[str, ClusterSettings], file: Path | None) -> str:
    """The file's part about clusters: as another configuration has it, secrets by reference, or new."""
    if file is not None:
        raw = {"clusters": yaml.safe_load(file.read_text("utf-8"))["clusters"]}
        return yaml.safe_dump(raw, sort_keys=False).rstrip()
    servers = {name: quoted(each.properties["bootstrap.servers"]) for name, each in clusters.items()}
    lines = [f"  {name}: {{bootstrap.servers: {address}}}" for name, address in servers.items()]
    return "\n".join(["clusters:", *lines])


_HEAD = """\
# Written by 'dupscope keys' from a sample. Read it once, then run 'dupscope check -c' on it.
# Any librdkafka property can stand beside bootstrap.servers. Secrets: {file: /path} or {env: NAME}.
"""

_TAIL = """
# Where fingerprints' secret and state are kept: a folder of its own.
state: {path: dupscope-state}

# Metrics at /metrics, and a page for people at /.
web: {listen: ":9464"}"""


def _pipelines(found: Sequence[Flow]) -> Iterator[str]:
    yield "\npipelines:"
    names: set[str] = set()
    for flow in found:
        name = _name(flow.source.topic, names)
        names.add(name)
        yield from _pipeline(name, flow)


def _pipeline(name: str, flow: Flow) -> Iterator[str]:
    yield f"  {quoted(name)}:"
    sampled = f"{flow.source.proposal.records:,} records"
    yield f"    # What names one business fact. In a sample of {sampled}: {flow.best.reason}."
    yield f"    key: {key_text(flow.best.spec)}"
    yield "    # Copies of one key further apart than this are two facts; longer costs more memory."
    yield "    window: 24h"
    yield "    # How far back the first start reads: a duration, earliest or latest."
    yield "    start: 1h"
    yield f"    source: {{cluster: {flow.source.cluster}, topics: [{quoted(flow.source.topic)}]}}"
    yield from _mirrors(flow)
    last = list(_stages(flow).values())[-1] if flow.mirrors else "source"
    yield "    # Who acts on the records: what it reads, its consumer group, and where it logs each effect."
    yield "    # sinks:"
    yield "    #   charger:"
    yield f"    #     reads: [{last}]"
    yield "    #     group: charger"
    yield "    #     audit: {file: /var/log/charger/audit.jsonl}"


def _mirrors(flow: Flow) -> Iterator[str]:
    if not flow.mirrors:
        yield "    # Is it mirrored? Name the destination; 'dupscope keys' finds it among several topics."
        yield "    # mirrors:"
        yield f"    #   to-dr: {{cluster: dr, topics: [{quoted(f'primary.{flow.source.topic}')}]}}"
        return
    yield "    mirrors:"
    stages = _stages(flow)
    for mirror, origin in flow.mirrors:
        above = f", from: {stages[id(origin)]}" if origin is not flow.source else ""
        policy = ", policy: identity" if mirror.topic == origin.topic else ""
        what = f"cluster: {mirror.cluster}, topics: [{quoted(mirror.topic)}]{above}{policy}"
        yield f"      {quoted(stages[id(mirror)])}: {{{what}}}"


def _stages(flow: Flow) -> dict[int, str]:
    """The mirrors' stage names, by identity: where they lead to, or their topic where that says nothing."""
    found: dict[int, str] = {}
    for mirror, _ in flow.mirrors:
        name = f"to-{mirror.cluster}"
        if mirror.cluster == flow.source.cluster or name in found.values():
            name = _plain(f"{mirror.cluster}-{mirror.topic}")
        found[id(mirror)] = name
    return found


def _name(topic: str, taken: set[str]) -> str:
    name = _plain(topic)
    return name if name not in taken else f"{name}-{len(taken) + 1}"


def _plain(topic: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", topic).lstrip("-") or "pipeline"


def key_text(spec: KeySpec) -> str:
    """A key as the configuration writes it."""
    if spec.kind == "kafka_key":
        return "kafka_key"
    if spec.kind == "header":
        return f"{{header: {quoted(spec.paths[0])}}}"
    return f"{{json: [{', '.join(map(quoted, spec.paths))}]}}"


def quoted(text: str) -> str:
    """A text as YAML can read it inside a list or mapping on one line."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and text.lower() not in _WORDS
    return text if plain else "'" + text.replace("'", "''") + "'"


_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
