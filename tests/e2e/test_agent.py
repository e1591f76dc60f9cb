"""`dupscope agent` as its users run it: every line is there, once for each place, whatever happens to it."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from dupscope.audit import wire
from support.dump import dump
from support.dupscope_process import program
from support.mock import MockCluster
from support.process import LoggedProcess
from support.waiting import wait_until

MOST_RESIDENT_KIB = 64 << 10
LINES = 4_000


class Pod:
    """A folder with audit files, and an agent beside it."""

    def __init__(self, folder: Path, cluster: MockCluster, **more: object) -> None:
        self.folder, self.cluster = folder, cluster
        config = folder / "agent.yaml"
        document = {
            "cluster": {"bootstrap.servers": cluster.bootstrap_servers},
            "topic": "audit",
            "files": str(folder / "*.jsonl"),
            "instance": "pod-1",
            "state": {"path": str(folder / "state")},
            "web": {"listen": "127.0.0.1:0"},
            **more,
        }
        config.write_text(yaml.safe_dump(document))
        self.agent = LoggedProcess([*program(), "agent", "-c", str(config)], folder / "agent.log")

    def records(self) -> list[tuple[str, int, bytes | None]]:
        """File, end and line of all lines in the topic, in the order of each partition."""
        found = [
            (dict(record.headers or []), record) for record in dump(self.cluster.bootstrap_servers, "audit")
        ]
        return [
            (headers[wire.FILE].decode(), int(headers[wire.END]), record.value)
            for headers, record in found
            if wire.STATUS not in headers
        ]

    def lines(self) -> list[bytes | None]:
        """The lines, each once: what comes again is at or below the highest end of its file."""
        highest: dict[str, int] = {}
        lines = []
        for file, end, line in self.records():
            if end > highest.get(file, 0):
                highest[file] = end
                lines.append(line)
        return lines

    def said(self, event: str) -> int:
        """How often it has logged something."""
        return sum(f'"{event}"' in line for line in (self.folder / "agent.log").read_text().splitlines())


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        cluster.create_topic("audit", 3)
        yield cluster


@pytest.fixture
def pod(tmp_path: Path, cluster: MockCluster) -> Iterator[Pod]:
    pod = Pod(tmp_path, cluster)
    with closing(pod.agent):
        yield pod


def wait_lines(pod: Pod, count: int) -> None:
    wait_until(lambda: len(set(pod.lines())) >= count, 60, f"{count} lines are there", poll=0.3)


class TestAgent:
    def test_killed_again_and_again(self, pod, tmp_path):
        """While a program writes and its file is rotated: each line of each file, in order."""
        draw = random.Random(random.random())
        current, done = tmp_path / "audit.jsonl", threading.Event()
        expected = [f"line {number} {'x' * draw.randrange(300)}".encode() for number in range(LINES)]

        def write() -> None:
            pause = threading.Event()
            for begin in range(0, LINES, 400):
                with current.open("ab", buffering=0) as file:
                    for number in range(begin, begin + 400, 20):
                        file.write(b"".join(line + b"\n" for line in expected[number : number + 20]))
                        pause.wait(0.01)
                wait_until(lambda: pod.said("listening"), 60, "an agent was there")
                wait_lines(pod, begin + 200)
                current.rename(tmp_path / f"audit.{begin}")
            done.set()

        writer = threading.Thread(target=write)
        pod.agent.start()
        writer.start()
        kills = 0
        while not done.is_set():
            done.wait(draw.uniform(0.5, 2.0))
            pod.agent.kill()
            kills += 1
            before = pod.said("listening")
            pod.agent.start()
        writer.join()
        wait_until(lambda: pod.said("listening") > before, 30, "the last one is there")
        wait_lines(pod, LINES)
        assert pod.agent.stop() == 0
        assert sorted(pod.lines()) == sorted(expected)
        assert kills > 3
        by_file: dict[str, list[int]] = {}
        for file, end, _ in pod.records():
            by_file.setdefault(file, []).append(end)
        assert len(by_file) == LINES // 400

    def test_kafka_is_away_for_a_while(self, pod, tmp_path, cluster):
        """Nothing is lost, nothing piles up in memory, and it goes on by itself."""
        pod.agent.start()
        (tmp_path / "a.jsonl").write_bytes(b"first\n")
        wait_lines(pod, 1)
        cluster.stop()
        content = b"".join(b"%d %s\n" % (number, b"x" * 1000) for number in range(40_000))
        (tmp_path / "b.jsonl").write_bytes(content)
        waiter = threading.Event()
        waiter.wait(2.0)
        assert resident_kib(pod.agent.pid) < MOST_RESIDENT_KIB
        cluster.resume()
        wait_lines(pod, 40_001)
        assert resident_kib(pod.agent.pid) < MOST_RESIDENT_KIB
        assert pod.agent.stop() == 0

    def test_the_last_word(self, pod, tmp_path, cluster):
        """At SIGTERM it ships what is there, and says that it has stopped."""
        pod.agent.start()
        wait_until(lambda: pod.said("listening"), 30, "it is there")
        (tmp_path / "a.jsonl").write_bytes(b"a\nb\n")
        assert pod.agent.stop() == 0
        assert pod.lines() == [b"a", b"b"]
        said = [record for record in dump(cluster.bootstrap_servers, "audit") if record.key == b"pod-1"]
        assert dict(said[-1].headers)[wire.STATUS] == wire.STOPPED
        assert json.loads(said[-1].value)["behind_bytes"] == 0

    def test_one_agent_a_folder(self, pod, tmp_path, cluster):
        pod.agent.start()
        wait_until(lambda: pod.said("listening"), 30, "it is there")
        (tmp_path / "other").mkdir()
        other = Pod(tmp_path / "other", cluster, state={"path": str(tmp_path / "state")})
        other.agent.start()
        assert other.agent.wait_exit(30) == 2
        assert f"process {pod.agent.pid}" in other.agent.log.read_text()
        assert pod.agent.stop() == 0

    def test_a_damaged_state(self, pod, tmp_path):
        """It is set aside; what is shipped again is known by its place."""
        (tmp_path / "a.jsonl").write_bytes(b"a\nb\n")
        pod.agent.start()
        wait_lines(pod, 2)
        assert pod.agent.stop() == 0
        (tmp_path / "state" / "agent.json").write_text("{")
        pod.agent.start()
        wait_until(lambda: len(pod.records()) == 4, 30, "all is shipped again")
        assert pod.agent.stop() == 0
        assert pod.said("agent_state_damaged")
        assert pod.lines() == [b"a", b"b"]

    def test_a_topic_that_is_not_there(self, tmp_path, cluster):
        """It is told, tried again, and no end of the process."""
        pod = Pod(tmp_path, cluster)
        with closing(pod.agent):
            (tmp_path / "a.jsonl").write_bytes(b"a\n")
            cluster.fail(0, *([3] * 100))  # Produce, UNKNOWN_TOPIC_OR_PARTITION
            pod.agent.start()
            wait_until(lambda: pod.said("listening"), 30, "it is there")
            cluster.heal(0)
            wait_lines(pod, 1)
            assert pod.agent.stop() == 0


def resident_kib(pid: int) -> int:
    """What a process holds in memory, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
