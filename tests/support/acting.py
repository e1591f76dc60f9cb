"""A sink that is a list: acts on records, skips some repeats, tells an audit file, commits as a group."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from support.audit_way import FileWay
from support.dump import Dumped
from support.tally import Tally
from support.truth import Effect, Where
from support.waiting import wait_until

SINK, CLUSTER = "charger", "dr"
COMMIT_SECONDS = 60
SKIPPED = 0.2
"""Of the copies that are not the original, the share that the sink notices and does not act on."""


class ActingSink:
    """One thread only. `audit` is the file that the program reads; it is there from the beginning."""

    def __init__(self, audit: Path, bootstrap: str, topic: str, tally: Tally, draw: random.Random) -> None:
        self.audit = audit
        self.group = f"{SINK}-{topic}"
        self._bootstrap = bootstrap
        self._topic = topic
        self._tally = tally
        self._draw = draw
        self._acted: list[Dumped] = []
        self._effects: list[tuple[Dumped, str]] = []
        self._ends: dict[int, int] = {}
        self._commits: Consumer | None = None
        audit.touch()

    def audit_section(self) -> dict[str, object]:
        """`audit` in the configuration."""
        return FileWay(self.audit).section()

    def audit_lines(self) -> int:
        """How many audit lines there are."""
        return FileWay(self.audit).lines()

    def act(self, copies: Sequence[tuple[Dumped, str]], passed: Sequence[Dumped]) -> None:
        """Act on copies, each with who made it; then commit that all of `passed` was read."""
        chosen = [pair for pair in copies if pair[1] == "original" or self._draw.random() >= SKIPPED]
        for origin in ("produce", "mirror"):
            count = sum(maker == origin for _, maker in chosen)
            self._tally.note("duplicate_effects_total", count, stage=SINK, origin=origin)
        self._write([copy for copy, _ in chosen])
        self._acted += [copy for copy, _ in chosen]
        for one in passed:
            self._ends[one.partition] = max(one.offset + 1, self._ends.get(one.partition, 0))
        self._commit()

    def repeat(self, count: int) -> None:
        """Act once more on `count` of the copies; now and then a line is only written twice."""
        copies = [self._draw.choice(self._acted[-40:] if n % 2 else self._acted) for n in range(count)]
        labels = {"stage": SINK, "topic": self._topic.partition(".")[2]}
        self._tally.note("duplicates_total", count, layer="consume", kind="identical", **labels)
        self._tally.note("duplicate_effects_total", count, stage=SINK, origin="consume")
        self._write(copies)
        if self._draw.random() < 0.2:
            self._tell(self._effects[-1:])

    def commit(self) -> None:
        """Wait until all that it has read is committed."""
        if self._ends:
            wait_until(self._commit, COMMIT_SECONDS, "the sink has committed")

    def effects_by(self, stages: Mapping[tuple[str, str], str]) -> list[Effect]:
        """Its effects in order; `stages` has the stage by (cluster, physical topic)."""
        stage = stages[CLUSTER, self._topic]
        return [
            Effect(Where(stage, copy.topic, copy.partition, copy.offset), effect_id)
            for copy, effect_id in self._effects
        ]

    def close(self) -> None:
        if self._commits is not None:
            self._commits.close()

    def _write(self, copies: Sequence[Dumped]) -> None:
        effects = [(copy, f"ch_{self._draw.getrandbits(64):016x}") for copy in copies]
        self._effects += effects
        self._tell(effects)

    def _tell(self, effects: Sequence[tuple[Dumped, str]]) -> None:
        """Write audit lines, at times in two pieces: a reader may meet half a line."""
        if not effects:
            return
        self._tally.note("audit_lines_total", len(effects), stage=SINK)
        text = "".join(self._line(copy, effect_id) for copy, effect_id in effects).encode()
        cut = self._draw.randrange(len(text)) if self._draw.random() < 0.3 else 0
        with self.audit.open("ab", buffering=0) as file:
            for piece in (text[:cut], text[cut:]):
                file.write(piece)

    def _line(self, copy: Dumped, effect_id: str) -> str:
        line = {
            "key": json.loads(copy.value or b"")["payment_id"],
            "cluster": CLUSTER,
            "topic": copy.topic,
            "partition": copy.partition,
            "offset": copy.offset,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "effect_id": effect_id,
            "group": self.group,
            "outcome": "succeeded",
        }
        return json.dumps(line) + "\n"

    def _commit(self) -> bool:
        """Commit how far it has come. False where the cluster does not take it now."""
        if self._commits is None:
            properties = {"bootstrap.servers": self._bootstrap, "group.id": self.group, "log_level": 2}
            self._commits = Consumer(properties)
        offsets = [TopicPartition(self._topic, number, end) for number, end in self._ends.items()]
        try:
            committed = self._commits.commit(offsets=offsets, asynchronous=False)
        except KafkaException:
            return False
        return all(one.error is None for one in committed)
