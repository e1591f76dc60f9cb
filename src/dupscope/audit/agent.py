"""Ships the lines of audit files to a topic: each at least once, with what tells repeats apart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from dupscope.audit import wire
from dupscope.audit.agent_state import AgentState
from dupscope.audit.files import FileLines
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import Invalid, InvalidReason
from dupscope.audit.track import Batch, Track
from dupscope.kafka.shipper import Headers, Shipper, TooLongError

LINES_A_READ = 200
IDLE_SECONDS = 0.2
LOOK_SECONDS = 1.0
SAVE_SECONDS = 1.0
AGAIN_SECONDS = 3.0
FORGET_SECONDS = 60.0
"""A path that has not been there for so long, and of which all was shipped, is forgotten."""
_VERSION = (wire.VERSION, wire.FORMAT)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What an agent follows. `files` is a path whose last part may be a pattern; times are in seconds."""

    files: str
    instance: str
    max_line_bytes: int
    status_seconds: float = 10.0
    shutdown_seconds: float = 20.0


class Told(Protocol):
    """Who hears what an agent does, for metrics and the log."""

    def shipped(self, lines: int) -> None:
        """So many more lines are acknowledged."""

    def failed(self, reason: str) -> None:
        """Something cannot be done now; it is tried again."""

    def state(self, behind_bytes: int, *, is_well: bool) -> None:
        """How much is not shipped yet, and whether shipping goes on."""


@dataclass(slots=True)
class _Clock:
    """When each thing was done last, by the monotonic clock."""

    looked: float = -LOOK_SECONDS
    saved: float = -SAVE_SECONDS
    told: float = float("-inf")
    failed: float = float("-inf")
    gone: dict[str, float] = field(default_factory=dict)


class Agent:
    """Follows files and ships their lines. One thread, until `stop` is called from a signal handler."""

    def __init__(
        self, settings: AgentSettings, made: Callable[[], Shipper], state: AgentState, told: Told
    ) -> None:
        self._settings = settings
        self._made = made
        self._state = state
        self._told = told
        self._shipper = made()
        self._tracks: dict[str, Track] = {}
        self._saved: dict[str, AuditPosition] = {}
        self._refused: set[tuple[str, int]] = set()
        self._clock = _Clock()
        self._stopping = False

    def resume(self, positions: dict[str, AuditPosition]) -> None:
        """Go on where an earlier process stood. Call before `run`."""
        self._saved = dict(positions)
        for path, position in positions.items():
            self._tracks[path] = Track(path, self._settings.max_line_bytes, position)

    def stop(self) -> None:
        """Ship what is there, and return from `run`. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Follow and ship."""
        while not self._stopping:
            self._step()
        until = time.monotonic() + self._settings.shutdown_seconds
        self._clock.looked = -LOOK_SECONDS
        while self._step() and time.monotonic() < until:
            pass
        self._say(wire.STOPPED)
        self._shipper.flush(max(1.0, until - time.monotonic()))
        self._save()
        self._shipper.close()

    # ------------------------------------------------------------------ one step

    def _step(self) -> bool:
        """Read what is new, ship it, and note what was acknowledged. False when nothing is left to do."""
        now = time.monotonic()
        if now - self._clock.looked >= LOOK_SECONDS:
            self._clock.looked = now
            self._look(now)
        count = sum(self._ship(track) for track in self._tracks.values())
        self._shipper.poll(0.0 if count else IDLE_SECONDS)
        if self._shipper.failure is not None:
            self._begin_again(now)
        moved = [track.settle() for track in self._tracks.values()]
        if now - self._clock.saved >= SAVE_SECONDS:
            self._clock.saved = now
            self._save()
        if now - self._clock.told >= self._settings.status_seconds:
            self._clock.told = now
            self._say(wire.ALIVE)
        return bool(count or any(moved)) or not all(track.is_settled for track in self._tracks.values())

    def _look(self, now: float) -> None:
        """Find files that are new, and forget those that are gone for good."""
        pattern = Path(self._settings.files)
        found = set(map(str, pattern.parent.glob(pattern.name)))
        for path in sorted(found - self._tracks.keys()):
            self._tracks[path] = Track(path, self._settings.max_line_bytes, AuditPosition())
        gone = {path: self._clock.gone.get(path, now) for path in self._tracks.keys() - found}
        self._clock.gone = gone
        for path in [path for path, since in gone.items() if now - since >= FORGET_SECONDS]:
            if self._tracks[path].is_settled:
                self._tracks.pop(path).close()
        behind = sum(track.behind_bytes for track in self._tracks.values())
        self._told.state(behind, is_well=now - self._clock.failed > 2 * AGAIN_SECONDS)

    def _ship(self, track: Track) -> int:
        """Ship the next lines of one file. Gives how many records that made."""
        if not self._shipper.has_room:
            return 0
        invalid, before = Invalid(), track.acknowledged
        read = track.read(LINES_A_READ, invalid)
        if read is None:
            return 0
        lines, batch = read
        if track.acknowledged != before:
            self._save()
        count = 0
        for index, line in enumerate(lines.lines):
            if not line or line.isspace():
                batch.acknowledged()
            elif self._ship_line(track, lines, index, batch):
                count += 1
            else:
                track.give_back(batch, lines, index)
                break
        self._ship_problems(track, lines.file, invalid, batch)
        batch.acknowledged()
        return count

    def _ship_line(self, track: Track, lines: FileLines, index: int, batch: Batch) -> bool:
        """False: there is no room for it now."""
        line, end = lines.lines[index], lines.ends[index]
        headers = _headers(track.path, lines.file, end)
        is_long = len(line) > self._settings.max_line_bytes or (lines.file, end) in self._refused
        if not is_long:
            heard = partial(self._hear, lines.file, end, batch)
            try:
                return self._shipper.ship(lines.file, line, headers, heard)
            except TooLongError:
                pass
        return self._ship_invalid(lines.file, headers, InvalidReason.OVERSIZE, batch)

    def _ship_invalid(self, file: str, headers: Headers, reason: InvalidReason, batch: Batch) -> bool:
        headers = [*headers, (wire.INVALID, reason.encode())]
        told = partial(self._hear, "", 0, batch)
        return self._shipper.ship(file, None, headers, told)

    def _ship_problems(self, track: Track, file: str, invalid: Invalid, batch: Batch) -> None:
        """What the file itself could not give: a line that is too long to be read is told as one."""
        for reason, count in invalid.counts.items():
            self._told.failed(reason)
            for _ in range(count if reason == InvalidReason.OVERSIZE else 0):
                batch.waiting += 1
                headers = _headers(track.path, file, batch.behind.offset)
                if not self._ship_invalid(file, headers, InvalidReason(reason), batch):
                    self._shipper.failure = self._shipper.failure or "queue_full"

    def _hear(self, file: str, end: int, batch: Batch, is_acknowledged: bool) -> None:
        if is_acknowledged:
            batch.acknowledged()
            self._told.shipped(1)
        else:
            self._refused.add((file, end))
            self._shipper.failure = "too_long"

    # ------------------------------------------------------------------ now and then

    def _begin_again(self, now: float) -> None:
        """A new producer ships again whatever was not acknowledged to the old one."""
        reason = self._shipper.failure or ""
        self._told.failed(reason)
        for track in self._tracks.values():
            track.settle()
        self._shipper.close()
        for track in self._tracks.values():
            track.rewind()
        self._shipper = self._made()
        if reason != "too_long":
            self._clock.failed = now
            self._wait(AGAIN_SECONDS)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopping:
            self._shipper.poll(IDLE_SECONDS)

    def _save(self) -> None:
        positions = {path: track.acknowledged for path, track in self._tracks.items()}
        if positions == self._saved:
            return
        try:
            self._state.save(positions)
            self._saved = positions
        except OSError:
            self._told.failed("state_unwritable")

    def _say(self, what: bytes) -> None:
        """Tell the topic that this agent is there, or that it ends."""
        behind = sum(track.behind_bytes for track in self._tracks.values())
        status = {"instance": self._settings.instance, "at": int(time.time() * 1000), "behind_bytes": behind}
        headers: Headers = [_VERSION, (wire.STATUS, what)]
        self._shipper.ship(self._settings.instance, json.dumps(status).encode(), headers, _unheard)


def _headers(path: str, file: str, end: int) -> Headers:
    where = [(wire.FILE, file.encode()), (wire.END, str(end).encode())] if file else []
    return [_VERSION, *where, (wire.NAME, Path(path).name.encode(errors="surrogateescape"))]


def _unheard(_is_acknowledged: bool) -> None:
    """The next one says it again."""
