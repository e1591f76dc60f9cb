"""Whether an audit log that is a topic is there, can be read, and keeps what is written to it."""

from __future__ import annotations

import time
from dataclasses import replace

from dupscope.app.check_report import Level, Section, plural
from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import TopicSource
from dupscope.audit.shipped import Shipped
from dupscope.kafka.errors import AccessDeniedError, TopicMissingError
from dupscope.kafka.raw import RawRecord
from dupscope.kafka.sample import sample
from dupscope.kafka.settings import ClusterSettings
from dupscope.kafka.topic_configs import TopicConfigs
from dupscope.model.errors import ClusterError

LAST_RECORDS = 1_000
"""How many records of each topic are looked at."""

ANSWER_SECONDS = 5.0
READ_SECONDS = 10.0


def last_shipped(source: TopicSource, name: str, section: Section) -> list[bytes] | None:
    """The lines in the last records, as `run` would take them; None where none can be read, which is told."""
    cluster = replace(source.cluster, timeout_seconds=ANSWER_SECONDS)
    try:
        topics = _topics(source, cluster)
        if not topics:
            section.add(Level.PROBLEM, name, f"{source}: no topic is matched by the pattern: create one")
            return None
        records = [record for slot, topic in enumerate(topics) for record in _last(cluster, topic, slot)]
        policies = TopicConfigs(cluster).cleanup_policies(topics)
    except ClusterError as error:
        section.add(Level.PROBLEM, name, f"{source}: {error}: {_remedy(error)}")
        return None
    for topic in topics:
        if "compact" in policies.get(topic, ""):
            text = f"{topic}: cleanup.policy={policies[topic]}: compaction takes lines away unseen"
            section.add(Level.WARNING, name, f"{text}; set cleanup.policy=delete")
    return _lines(source, records, name, section)


def _topics(source: TopicSource, cluster: ClusterSettings) -> list[str]:
    found = TopicConfigs(cluster).names() if source.topics.patterns else ()
    return list(source.topics.chosen(found))


def _last(cluster: ClusterSettings, topic: str, slot: int) -> list[RawRecord]:
    """The last records of a topic; partitions of different topics have different slots."""
    return [
        RawRecord(
            slot << 32 | each.partition, each.offset, each.timestamp, each.key, each.value, each.headers
        )
        for each in sample(cluster, topic, LAST_RECORDS, READ_SECONDS)
    ]


def _remedy(error: ClusterError) -> str:
    if isinstance(error, TopicMissingError):
        return "create it: dupscope creates no topic, and is not ready without"
    if isinstance(error, AccessDeniedError):
        return "allow it to describe and to read the topic"
    return "check address, network and credentials"


def _lines(source: TopicSource, records: list[RawRecord], name: str, section: Section) -> list[bytes]:
    shipped, invalid, now_ms = Shipped(source), Invalid(), int(time.time() * 1000)
    found = (shipped.line(each, now_ms, invalid, "") for each in records)
    lines = [line for line in found if line is not None]
    last = f"the last {plural(len(records), 'record')}"
    if shipped.shipped:
        text = f"{shipped.shipped:,} of {last} are lines that were shipped, {shipped.repeats:,} of them twice"
        section.add(Level.OK, name, f"{source}: {text}")
    if shipped.unplaced:
        text = f"{shipped.unplaced:,} shipped lines have no offset: one that is shipped twice counts twice"
        section.add(Level.WARNING, name, f"{source}: {text}; log it, and map it: audit: kafka: offset")
    for reason, count in sorted(invalid.counts.items()):
        section.add(Level.WARNING, name, f"{source}: {count:,} of {last} hold no line: {reason}")
    return lines
