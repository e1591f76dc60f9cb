"""A sink of several consumers, each with an audit file of its own and an agent beside it that ships it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from support.audit_way import TopicWay
from support.dupscope_process import program
from support.oracle import Effect
from support.process import LoggedProcess
from support.sink import SinkProcess, SinkSettings
from support.waiting import DeadlineExceededError

BEFORE_A_COMMIT = 311
"""Records after which a consumer dies that commits every 500; any share of a group's work has as many."""


OWN_DEATH_SECONDS = 30


class Agent:
    """`dupscope agent` for the files of one folder. May be killed and started again."""

    def __init__(self, folder: Path, way: TopicWay) -> None:
        self.name = folder.name
        file = folder / "agent.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "cluster": {"bootstrap.servers": way.bootstrap},
                    "topic": way.topic,
                    "files": str(folder / "audit*.jsonl"),
                    "instance": self.name,
                    "state": {"path": str(folder / "agent-state")},
                    "web": {"listen": "127.0.0.1:0"},
                }
            )
        )
        self.process = LoggedProcess([*program(), "agent", "-c", str(file)], folder / "agent.log")


@dataclass(frozen=True)
class Member:
    """One consumer and its agent, as in one pod."""

    consumer: SinkProcess
    agent: Agent


class ConsumerGroup:
    """Consumers of one group. The one that is to die is the first."""

    def __init__(self, settings: SinkSettings, way: TopicWay, folder: Path, count: int = 3) -> None:
        self._way = way
        self.members = [
            _member(settings, way, folder / f"{settings.group}-{index}") for index in range(count)
        ]

    def start(self, die_after: int = 0) -> None:
        """Start all that do not run. With `die_after` the first dies by itself before its first commit.

        Not after so many records: how many it gets, the group decides.
        """
        share = BEFORE_A_COMMIT if die_after else 0
        for member in self.members:
            if not member.consumer.running:
                member.consumer.start(share if member is self.members[0] else 0)
            if not member.agent.process.running:
                member.agent.process.start()

    def wait_death(self) -> int:
        """The exit code of the first consumer, which was started to die. Two agents are killed with it.

        Where the others were quicker to act on all that there was, it is killed where it stands.
        """
        try:
            code = self.members[0].consumer.wait_death(timeout=OWN_DEATH_SECONDS)
        except DeadlineExceededError:
            self.members[0].consumer.kill()
            code = -9
        for member in self.members[:2]:
            member.agent.process.kill()
        return code

    def stop(self) -> int:
        """End all consumers, then their agents: 0 when all went well."""
        codes = [member.consumer.stop() for member in self.members]
        codes += [member.agent.process.stop() for member in self.members]
        return max(codes, key=abs)

    def close(self) -> None:
        for member in self.members:
            member.consumer.close()
            member.agent.process.close()

    def audit_section(self) -> dict[str, object]:
        """`audit` in the configuration."""
        return self._way.section()

    def audit_lines(self) -> int:
        """Lines of all files: what is shipped twice is there once."""
        return sum(member.consumer.audit_lines() for member in self.members)

    def effects_by(self, stages: Mapping[tuple[str, str], str]) -> list[Effect]:
        """What all have listed."""
        return [one for effects in self.effects_of_each(stages) for one in effects]

    def effects_of_each(self, stages: Mapping[tuple[str, str], str]) -> Sequence[list[Effect]]:
        """What each has listed."""
        return [member.consumer.effects_by(stages) for member in self.members]

    def has_acted_on(self, offsets: dict[int, int]) -> bool:
        """Whether one of them has acted on the record at each of these offsets, by partition."""
        return all(
            any(member.consumer.has_acted_on({number: offset}) for member in self.members)
            for number, offset in offsets.items()
        )


def _member(settings: SinkSettings, way: TopicWay, folder: Path) -> Member:
    consumer = SinkProcess(settings, folder)
    return Member(consumer, Agent(folder, way))
