from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dupscope.audit import wire
from dupscope.audit.agent import Agent, AgentSettings
from dupscope.audit.agent_state import AgentState
from dupscope.kafka.shipper import Headers, TooLongError


@dataclass
class Topic:
    """A topic that outlives those who write to it."""

    records: list[tuple[str, bytes | None, dict[str, object]]] = field(default_factory=list)

    @property
    def lines(self) -> list[bytes | None]:
        return [value for _, value, headers in self.records if wire.STATUS not in headers]


class Writer:
    """Takes records at once, or up to so many and then no more; acknowledges them when it is polled."""

    def __init__(self, topic: Topic, room: int = 10_000, longest: int = 1_000, fails_after: int = -1) -> None:
        self.topic, self.room, self.longest, self.fails_after = topic, room, longest, fails_after
        self.failure: str | None = None
        self._waiting: deque[Callable[[bool], None]] = deque()

    @property
    def has_room(self) -> bool:
        return len(self._waiting) < self.room

    def ship(self, key: str, value: bytes | None, headers: Headers, told: Callable[[bool], None]) -> bool:
        if len(value or b"") > self.longest:
            raise TooLongError
        if not self.has_room:
            return False
        self.topic.records.append((key, value, dict(headers)))
        self._waiting.append(told)
        return True

    def poll(self, _seconds: float) -> None:
        while self._waiting and self.fails_after:
            self.fails_after -= 1
            self._waiting.popleft()(True)
        if self._waiting:
            self.failure = "broken"

    def flush(self, seconds: float) -> int:
        self.poll(seconds)
        return len(self._waiting)

    def close(self) -> None:
        self._waiting.clear()


class Heard:
    """What an agent tells of itself."""

    def __init__(self) -> None:
        self.lines = 0
        self.failures: Counter[str] = Counter()
        self.behind = 0

    def shipped(self, lines: int) -> None:
        self.lines += lines

    def failed(self, reason: str) -> None:
        self.failures[reason] += 1

    def state(self, behind_bytes: int, *, is_well: bool) -> None:
        self.behind = behind_bytes


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def made(tmp_path: Path, topic: Topic):
    """An agent of the folder, which goes on where the one before it stood."""

    def made(heard: Heard | None = None, **more: int) -> Agent:
        settings = AgentSettings(str(tmp_path / "*.jsonl"), "pod-1", 500)
        state = AgentState(tmp_path)
        agent = Agent(settings, lambda: Writer(topic, **more), state, heard or Heard())
        agent.resume(state.load())
        return agent

    return made


def ship_all(agent: Agent) -> None:
    """Until all is shipped: what an agent does that is told to stop."""
    agent.stop()
    agent.run()


class TestAgent:
    def test_lines_of_all_files(self, tmp_path, topic, made):
        (tmp_path / "a.jsonl").write_bytes(b"a1\n\na2\n")
        (tmp_path / "b.jsonl").write_bytes(b"b1\nb2 is torn")
        heard = Heard()
        ship_all(made(heard))
        assert sorted(topic.lines) == [b"a1", b"a2", b"b1"]
        assert heard.lines == 3
        key, _, headers = topic.records[0]
        assert headers == {
            wire.VERSION: wire.FORMAT,
            wire.FILE: key.encode(),
            wire.END: b"3",
            wire.NAME: b"a.jsonl",
        }

    def test_the_last_word(self, tmp_path, topic, made):
        (tmp_path / "a.jsonl").write_bytes(b"a1\ntorn")
        ship_all(made())
        key, value, headers = topic.records[-1]
        assert (key, headers[wire.STATUS]) == ("pod-1", wire.STOPPED)
        status = json.loads(value)
        assert (status["instance"], status["behind_bytes"]) == ("pod-1", 0)

    def test_the_next_goes_on(self, tmp_path, topic, made):
        file = tmp_path / "a.jsonl"
        file.write_bytes(b"a1\na2\n")
        ship_all(made())
        with file.open("ab") as opened:
            opened.write(b"a3\n")
        file.rename(tmp_path / "a.jsonl.1")
        file.write_bytes(b"n1\n")
        ship_all(made())
        assert topic.lines == [b"a1", b"a2", b"a3", b"n1"]
        assert len({key for key, value, _ in topic.records if value in {b"a1", b"a3"}}) == 1

    def test_what_is_not_acknowledged_comes_again(self, tmp_path, topic, made):
        """Under the same file and end, by which it is known."""
        (tmp_path / "a.jsonl").write_bytes(b"".join(b"%d\n" % number for number in range(10)))
        agent = made(fails_after=4)
        agent._step()
        agent._save()
        ship_all(made())
        places = Counter(
            (headers[wire.FILE], headers[wire.END])
            for _, value, headers in topic.records
            if value and wire.STATUS not in headers
        )
        assert len(places) == 10
        assert max(places.values()) > 1

    def test_no_room(self, tmp_path, topic, made):
        """Files are read no faster than records go."""
        expected = [b"%d" % number for number in range(100)]
        (tmp_path / "a.jsonl").write_bytes(b"".join(line + b"\n" for line in expected))
        ship_all(made(room=7))
        assert topic.lines == expected

    @pytest.mark.parametrize("length", [501, 2_000, 20 << 20])
    def test_a_line_that_is_too_long(self, tmp_path, topic, made, length):
        """It is told that there was one, and the next is intact."""
        (tmp_path / "a.jsonl").write_bytes(b"a\n" + b"x" * length + b"\nb\n")
        ship_all(made())
        assert [value for value in topic.lines if value] == [b"a", b"b"]
        (reason,) = {headers.get(wire.INVALID) for _, value, headers in topic.records if not value}
        assert reason == b"oversize"

    def test_a_line_that_the_client_does_not_take(self, tmp_path, topic, made):
        (tmp_path / "a.jsonl").write_bytes(b"a\n" + b"x" * 250 + b"\nb\n")
        ship_all(made(longest=200))
        assert [headers.get(wire.INVALID) for *_, headers in topic.records[:3]] == [None, b"oversize", None]

    def test_a_state_that_cannot_be_written(self, tmp_path, topic, made):
        """Lines are shipped all the same."""
        (tmp_path / "a.jsonl").write_bytes(b"a\n")
        (tmp_path / "agent.new").mkdir()
        heard = Heard()
        ship_all(made(heard))
        assert topic.lines == [b"a"]
        assert heard.failures["state_unwritable"]
