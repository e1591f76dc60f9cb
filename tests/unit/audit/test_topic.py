from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator

import pytest

from dupscope.audit.reasons import Invalid
from dupscope.audit.settings import TopicSource
from dupscope.audit.source import Lines
from dupscope.audit.topic import TopicLines
from dupscope.kafka.clock import Clock
from dupscope.kafka.raw_tail import REST_SECONDS
from dupscope.kafka.selection import TopicSelection
from dupscope.kafka.settings import ClusterSettings
from support.mock import MockCluster
from support.waiting import wait_until

Sources = Callable[..., TopicLines]
AGENT = [("dupscope-agent", b"1")]


class SkippingClock:
    """The real clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.clock = Clock(
            monotonic=lambda: time.monotonic() + self.ahead,
            now_ms=lambda: int((time.time() + self.ahead) * 1000),
        )


@pytest.fixture
def own() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        cluster.create_topic("audit", 2)
        yield cluster


@pytest.fixture
def skipping() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
def source_of(own: MockCluster, skipping: SkippingClock) -> Iterator[Sources]:
    sources: list[TopicLines] = []

    def make(saved: object = None, **options: object) -> TopicLines:
        settings = ClusterSettings("a", {"bootstrap.servers": own.bootstrap_servers}, timeout_seconds=1.0)
        topics = TopicSelection({"audit": "audit"})
        source = TopicLines(TopicSource(settings, topics, **options), skipping.clock)
        if saved is not None:
            source.resume(saved)
        sources.append(source)
        return source

    yield make
    for source in sources:
        source.close()


class Heard:
    """Everything that a source has given."""

    def __init__(self, source: TopicLines) -> None:
        self.source = source
        self.invalid = Invalid()
        self.lines: list[bytes] = []
        self.places: list[str] = []
        self.lost = 0

    def read(self, most: int = 100) -> Lines:
        read = self.source.read(most, self.invalid)
        self.lines += read.lines
        self.places += map(read.place, range(len(read.lines)))
        self.lost += read.lost
        return read

    def until(self, enough: Callable[[Heard], object]) -> Heard:
        wait_until(lambda: self.read() and enough(self), 30, "enough was read", poll=0.01)
        return self

    def to_the_end(self) -> Heard:
        goal = self.source.goal()
        return self.until(lambda heard: heard.source.has_reached(goal))


def shipped(file: bytes, end: int, slot: int, line: bytes) -> tuple:
    headers = [*AGENT, ("dupscope-file", file), ("dupscope-end", b"%d" % end)]
    return slot, file, line, None, headers


def status(said: bytes, behind: int = 0) -> tuple:
    value = json.dumps({"instance": "pod-1", "at": 1, "behind_bytes": behind}).encode()
    return 0, b"pod-1", value, None, [*AGENT, ("dupscope-status", said)]


class TestRead:
    def test_values_are_lines_with_places_and_tombstones_are_none(self, own, source_of):
        own.produce("audit", [(1, b"k", b"one"), (1, b"k", None), (1, b"k", b""), (1, b"k", b"two")])
        heard = Heard(source_of()).to_the_end()
        assert heard.lines == [b"one", b"two"]
        assert heard.places == ["audit[1] offset 0", "audit[1] offset 3"]
        assert heard.invalid.counts == {}

    def test_what_was_written_before_a_moment_is_complete(self, own, source_of):
        own.produce("audit", [(0, b"k", b"x")] * 50)
        heard, began = Heard(source_of()), int(time.time() * 1000)
        assert not heard.read(10).at_end
        heard.until(lambda _: heard.source.read(10, heard.invalid).at_end)
        read = heard.read(10)
        assert read.held_ms is not None
        assert began <= read.held_ms <= int(time.time() * 1000)
        assert len(heard.lines) <= 50

    def test_lost_positions_are_counted_with_their_place(self, own, source_of):
        own.produce("audit", [(0, b"k", b"x")] * 4)
        heard = Heard(source_of()).to_the_end()
        own.produce("audit", [(0, b"k", b"y")] * 6)
        own.delete_records("audit", 0, 8)
        again = Heard(source_of(heard.source.saved())).until(lambda heard: len(heard.lines) == 2)
        assert again.invalid.counts == {"lost": 1}
        assert again.invalid.places["lost"].startswith("audit[0] offsets 4..7: ")

    def test_a_cluster_that_is_away_is_a_problem_and_holds_up_nothing(self, own, source_of, skipping):
        source = source_of()
        heard = Heard(source).to_the_end()
        assert source.problem() is None
        own.stop()
        wait_until(lambda: heard.read() and source.problem(), 30, "the problem is seen")
        assert source.problem().startswith("topic audit on a: ")
        own.resume()
        own.produce("audit", [(0, b"k", b"x")])
        skipping.ahead += REST_SECONDS
        heard.until(lambda heard: heard.lines == [b"x"])

    def test_a_goal_that_could_not_be_told_is_taken_later(self, own, source_of, skipping):
        own.produce("audit", [(0, b"k", b"x")] * 3)
        source = source_of()
        own.stop()
        goal = source.goal()
        assert not source.has_reached(goal)
        own.resume()
        skipping.ahead += REST_SECONDS
        heard = Heard(source).until(lambda heard: heard.source.has_reached(goal))
        assert len(heard.lines) == 3


class TestAgents:
    def test_an_agent_that_falls_silent_is_lost_once(self, own, source_of, skipping):
        own.produce("audit", [status(b"alive", 7)])
        heard = Heard(source_of(lost_after=20.0)).until(known_ms)
        for _ in range(6):
            assert heard.lost == 0
            skipping.ahead += 3
            before = known_ms(heard)
            heard.until(lambda heard, before=before: known_ms(heard) > before)
        own.produce("audit", [(0, b"k", b"x")])
        skipping.ahead += 3
        heard.until(lambda heard: heard.lost and heard.lines)
        skipping.ahead += 30
        heard.read()
        assert (heard.lost, heard.lines) == (1, [b"x"])

    def test_one_that_stopped_is_not(self, own, source_of, skipping):
        own.produce("audit", [status(b"alive", 7), status(b"stopped")])
        heard = Heard(source_of(lost_after=5.0)).until(is_complete)
        for _ in range(5):
            skipping.ahead += 3
            before = heard.read().held_ms
            heard.until(lambda heard, before=before: heard.read().held_ms > before)
        assert heard.lost == 0


def known_ms(heard: Heard) -> int:
    """Up to when it is known what the topic holds, whatever its agents still have."""
    heard.read()
    return heard.source._tail.complete_ms or 0


def is_complete(heard: Heard) -> bool:
    return heard.read().at_end


class TestOnceEach:
    def test_over_kills_of_the_agent_and_of_the_reader(self, own, source_of):
        """Two files interleaved in two partitions, shipped by an agent that dies and repeats some lines."""
        draw = random.Random(random.random())
        files = {name: [b"%s-%d" % (name, n) for n in range(150)] for name in (b"a", b"b", b"c")}
        ends = {name: [10 * (n + 1) for n in range(150)] for name in files}
        at, sent = dict.fromkeys(files, 0), []
        while any(at[name] < 150 for name in files):
            name = draw.choice(list(files))
            for n in range(at[name], min(150, at[name] + draw.randint(1, 20))):
                sent.append(shipped(name, ends[name][n], name == b"a", files[name][n]))
                at[name] = n + 1
            if draw.random() < 0.3 and at[name] < 150:
                at[name] = max(0, at[name] - draw.randint(0, 15))
        own.produce("audit", sent)
        lines: list[bytes] = []
        heard, total = Heard(source_of()), sum(map(len, files.values()))

        def step() -> bool:
            nonlocal heard
            lines.extend(heard.read(draw.randint(1, 40)).lines)
            if draw.random() < 0.1 and len(lines) < total:
                heard = Heard(source_of(heard.source.saved()))
            return len(lines) >= total

        wait_until(step, 60, "all lines", poll=0)
        heard.to_the_end()
        assert len(lines) == total
        for name, expected in files.items():
            assert [line for line in lines if line.startswith(name)] == expected
        assert heard.invalid.counts == {}
