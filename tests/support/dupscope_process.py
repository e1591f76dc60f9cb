"""The program under test as its users run it: a process, its log lines, its metrics page."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from support.oracle import Where
from support.process import LoggedProcess
from support.waiting import wait_until

LISTEN_SECONDS = 30
SCRAPE_SECONDS = 0.1

Series = tuple[str, frozenset[tuple[str, str]]]
Sample = dict[Series, float]

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def program() -> list[str]:
    """The console script that stands beside the interpreter."""
    return [str(Path(sys.executable).with_name("dupscope"))]


class DupscopeProcess:
    """`dupscope run` with one configuration file; logs and state under the file's folder."""

    def __init__(self, config: Path, *arguments: str, name: str = "run") -> None:
        command = [*program(), "run", "-c", str(config), *arguments]
        self.errors = config.parent / f"{name}.stderr"
        self.process = LoggedProcess(command, config.parent / f"{name}.stdout", self.errors)
        self._url: str | None = None

    def start(self) -> None:
        self.process.start()

    @property
    def url(self) -> str:
        """The address of its pages, as its log tells. Waits for that line."""
        if self._url is None:
            self._url = wait_until(self._listening, LISTEN_SECONDS, "dupscope says where it listens")
        return self._url

    def lines(self, event: str) -> list[dict[str, object]]:
        """Its whole log lines of one event so far."""
        if not self.errors.exists():
            return []
        text = self.errors.read_text().rpartition("\n")[0]
        parsed = (parse(line) for line in text.splitlines() if f'"{event}"' in line)
        return [line for line in parsed if line.get("event") == event]

    def findings(self, pipeline: str | None = None) -> Counter[Where]:
        """Places of the duplicates that it has reported (in one pipeline), by stage and physical topic.

        Of a consume duplicate the first place of its lineage that the sink reads, by which it has its id.
        """
        found = (line for line in self.lines("duplicate") if pipeline in {None, line["pipeline"]})
        return Counter(reported(line, "first_" if line["layer"] == "consume" else "") for line in found)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return response.read().decode()

    def scrape(self) -> Sample:
        """Its metrics; waits for the stored counters to be known, before which there are none."""
        return parse_metrics(wait_until(self._metrics, LISTEN_SECONDS, "its metrics are shown"))

    def _metrics(self) -> str | None:
        try:
            return self.get("/metrics")
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return None

    def close(self) -> None:
        self.process.close()

    def _listening(self) -> str | None:
        self.process.assert_running()
        lines = self.lines("listening")
        return str(lines[-1]["url"]).rstrip("/") if lines else None


def reported(line: dict[str, object], prefix: str) -> Where:
    """One of the places in a finding's log line."""
    topic, partition, offset = (
        str(line[prefix + name]) for name in ("physical_topic", "partition", "offset")
    )
    return Where(str(line["stage"]), topic, int(partition), int(offset))


def parse(line: str) -> dict[str, object]:
    """One JSON log line; what is none (a crash's traceback) is kept under `text`."""
    try:
        fields = json.loads(line)
    except ValueError:
        return {"text": line}
    return fields if isinstance(fields, dict) else {"text": line}


def parse_metrics(text: str) -> Sample:
    """All series of an exposition."""
    sample: Sample = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _LINE.fullmatch(line.strip())
        if match is not None:
            labels = frozenset(_LABEL.findall(match["labels"] or ""))
            sample[match["name"], labels] = float(match["value"])
    return sample


def series(name: str, **labels: str) -> Series:
    return f"dupscope_{name}", frozenset(labels.items())


def named(sample: Sample, *names: str) -> dict[Series, float]:
    """The series of some metrics, without those that are zero."""
    wanted = {f"dupscope_{name}" for name in names}
    return {key: value for key, value in sample.items() if key[0] in wanted and value}


def total(sample: Sample, name: str, **labels: str) -> float:
    """The sum over a metric's series that have these labels."""
    wanted = labels.items()
    full = f"dupscope_{name}"
    return sum(value for (metric, having), value in sample.items() if metric == full and wanted <= having)


@dataclass
class Scraper:
    """Scrapes every 100 ms in a thread of its own and keeps what it saw. `failed` has the errors."""

    dupscope: DupscopeProcess
    keep: tuple[str, ...]
    samples: list[Sample] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        _ = self.dupscope.url
        self._thread = threading.Thread(target=self._run, name="scraper")
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def last(self) -> Sample:
        return self.samples[-1] if self.samples else {}

    def more(self, count: int, timeout: float = 30) -> None:
        """Wait for `count` more samples."""
        goal = len(self.samples) + count
        wait_until(lambda: len(self.samples) >= goal, timeout, f"{count} more scrapes")

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self.samples.append(self._kept(self.dupscope.scrape()))
            except (OSError, urllib.error.URLError) as error:
                self.failed.append(repr(error))
            due = max(due + SCRAPE_SECONDS, time.monotonic())
            self._stop.wait(max(due - time.monotonic(), 0))

    def _kept(self, sample: Sample) -> Sample:
        wanted = {f"dupscope_{name}" for name in self.keep}
        return {key: value for key, value in sample.items() if key[0] in wanted}
