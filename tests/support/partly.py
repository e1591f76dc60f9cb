"""A pipeline of which the program reads only a part, or for part of which it can give no verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from support.business_key import UnkeyedError, business_key
from support.dump import Dumped
from support.oracle import SOURCE, judge
from support.scenario import Lists, Pipeline

Offsets = Mapping[int, int]


@dataclass
class Partly(Pipeline):
    """Of each log the offsets from `begun` on are read, and the payments that are `covered` judged.

    For pipelines with topics of one name a stage, and sinks that act on covered payments only.
    """

    begun: Mapping[str, Offsets] = field(default_factory=dict)
    covered: Callable[[int], bool] = lambda _: True

    def lists(self) -> Lists:
        """All that is read, and the truth about what is covered."""
        stages = {(log.cluster, topic): stage for stage, log in self.logs.items() for topic in log.topics}
        lines = {name: sink.audit_lines() for name, sink in self.sinks.items()}
        effects = {name: sink.effects_by(stages) for name, sink in self.sinks.items()}
        logs = {stage: self.read(stage) for stage in reversed([SOURCE, *self.flow.mirrors])}
        known = {
            stage: [one for one in records if self.covered(number(one))] for stage, records in logs.items()
        }
        return Lists(self.flow, logs, effects, lines, judge(self.flow, known, effects))

    def read(self, stage: str) -> list[Dumped]:
        """The records of a stage that are read."""
        begun = self.begun.get(stage, {})
        return [one for one in self.logs[stage].dump() if one.offset >= begun.get(one.partition, 0)]


def number(record: Dumped) -> int:
    """The payment that a record is about; -1 for a record of none."""
    try:
        return int(business_key(record.value, ("payment_id",))[0][1])
    except UnkeyedError:
        return -1
