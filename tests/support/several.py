"""Pipelines and sinks with several topics: one source on several clusters, topics that come later, times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from support.broker import Broker
from support.dump import end_offsets
from support.dupscope_process import DupscopeProcess
from support.oracle import SOURCE, Effect, Where, judge
from support.scenario import Lists, Log, Pipeline
from support.sink import SinkProcess, effect
from support.stand import STEP_SECONDS
from support.waiting import wait_until


@dataclass
class SeveralSources(Pipeline):
    """A source on several clusters, its topics of one name. `logs` has one of them for the source.

    `at` has the cluster of each sink. `places` are those of the last truth, with clusters; the truth has
    them without.
    """

    sources: tuple[Log, ...] = ()
    at: Mapping[str, str] = field(default_factory=dict)
    places: Counter[Where] = field(default_factory=Counter)

    def section(self) -> dict[str, object]:
        sources = [{"cluster": one.cluster, "topics": list(one.topics)} for one in self.sources]
        return {**super().section(), "source": sources}

    def lists(self) -> Lists:
        logs = {stage: (self.logs[stage],) for stage in reversed(list(self.flow.mirrors))}
        logs[SOURCE] = self.sources
        stages = {
            (log.cluster, topic): stage
            for stage, parts in logs.items()
            for log in parts
            for topic in log.topics
        }
        lines = {name: sink.audit_lines() for name, sink in self.sinks.items()}
        effects = {
            name: [on_cluster(one, self.at[name]) for one in sink.effects_by(stages)]
            for name, sink in self.sinks.items()
        }
        found = {
            stage: [record._replace(cluster=log.cluster) for log in parts for record in log.dump()]
            for stage, parts in logs.items()
        }
        truth = judge(self.flow, found, effects)
        self.places, truth.extras = truth.extras, without_cluster(truth.extras)
        return Lists(self.flow, found, effects, lines, truth)


def on_cluster(one: Effect, cluster: str) -> Effect:
    return one._replace(where=one.where and one.where._replace(cluster=cluster))


def without_cluster(places: Counter[Where]) -> Counter[Where]:
    found: Counter[Where] = Counter()
    for where, count in places.items():
        found[where._replace(cluster="")] += count
    return found


def clustered(dupscope: DupscopeProcess, *brokers: Broker) -> Counter[Where]:
    """The places of its findings with the names of the clusters, which are those of the brokers."""
    names = {broker.admin().list_topics(timeout=10).cluster_id: broker.name for broker in brokers}
    found: Counter[Where] = Counter()
    for line in dupscope.lines("duplicate"):
        prefix = "first_" if line["layer"] == "consume" else ""
        cluster, topic, partition, offset = (
            str(line[prefix + name]) for name in ("cluster_id", "physical_topic", "partition", "offset")
        )
        found[Where(str(line["stage"]), topic, int(partition), int(offset), names[cluster])] += 1
    return found


class TimedSink(SinkProcess):
    """A sink whose effects have their times too."""

    def effects_by(self, stages: Mapping[tuple[str, str], str]) -> list[Effect]:
        return [
            effect(stages[str(charge["cluster"]), str(charge["topic"])], charge)._replace(at=at_ms(charge))
            for charge in self._listed()
        ]


def at_ms(charge: Mapping[str, object]) -> int:
    return round(datetime.fromisoformat(str(charge["at"])).timestamp() * 1000)


def wait_acted_on_all(sink: SinkProcess, broker: Broker, *topics: str) -> None:
    """Wait until a sink has acted on the last record of every partition of each topic."""
    stages = {(broker.name, topic): "any" for topic in topics}
    last = {
        (topic, number, end - 1)
        for topic in topics
        for number, end in end_offsets(broker.bootstrap, topic).items()
        if end
    }

    def acted() -> bool:
        places = (one.where for one in sink.effects_by(stages))
        return last <= {(where.topic, where.partition, where.offset) for where in places if where}

    wait_until(acted, STEP_SECONDS, f"{sink.name} has acted on all")
