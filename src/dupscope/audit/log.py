"""The audit log of one sink, from lines to batches of effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dupscope.audit.line import Effect, LineReader
from dupscope.audit.places import Places, Resolver
from dupscope.audit.reasons import Invalid, InvalidLineError, InvalidReason
from dupscope.audit.settings import AuditSettings
from dupscope.audit.source import LineSource
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.model.batch import AuditRead, EffectBatch
from dupscope.model.plain import Plain

Found = tuple[Effect, int, str]
"""An effect, its packed position, and its logical topic."""


class AuditLog:
    """Reads what a source gives. Lines are decoded once each, and never logged. For one thread."""

    def __init__(
        self,
        settings: AuditSettings,
        sink: int,
        resolver: Resolver,
        fingerprinter: Fingerprinter,
        *,
        source: LineSource,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._resolver = resolver
        self._fingerprinter = fingerprinter
        self._reader = LineReader(settings, fingerprinter.spec)
        self._source = source
        self._now_ms = now_ms

    def read(self, max_lines: int) -> AuditRead:
        """What at most `max_lines` lines that were not read before say. Never raises for what is in the log.

        Blank lines do not count. `lines` are also those that report no effect or are invalid.
        """
        invalid, asked_ms = Invalid(), self._now_ms()
        read = self._source.read(max_lines, invalid)
        count = invalid.counts[InvalidReason.OVERSIZE]
        places = Places(self._resolver, self._settings.logical_topic)
        found: list[Found] = []
        for index, line in enumerate(read.lines):
            if not line or line.isspace():
                continue
            count += 1
            try:
                effect = self._effect(line)
                if effect is not None:
                    found.append((effect, *places.of(effect)))
            except InvalidLineError as error:
                invalid.add(error.reason, read.place(index))
        complete_ms = (read.held_ms or asked_ms) if read.at_end else None
        return AuditRead(
            self._batch(found),
            count,
            +invalid.counts,
            invalid.places,
            complete_ms=complete_ms,
            lost=read.lost,
        )

    def goal(self) -> object:
        """How far the log reaches as of now, for `has_reached`."""
        return self._source.goal()

    def has_reached(self, goal: object) -> bool:
        """Whether everything below a goal was read."""
        return self._source.has_reached(goal)

    def problem(self) -> str | None:
        """Why the log cannot be read now, in words for a person."""
        return self._source.problem()

    def saved(self) -> Plain:
        """How far was read, to go on there: what lies before is in the batches given so far."""
        return self._source.saved()

    def resume(self, saved: Any) -> None:  # noqa: ANN401 - what `saved` gave
        """Go on where an earlier reader was, before the first read."""
        self._source.resume(saved)

    def close(self) -> None:
        """Give up all connections and files."""
        self._source.close()

    def _effect(self, line: bytes) -> Effect | None:
        if len(line) > self._settings.max_line_bytes:
            raise InvalidLineError(InvalidReason.OVERSIZE)
        return self._reader.read(line)

    def _batch(self, found: list[Found]) -> EffectBatch:
        effects, positions, topics = zip(*found, strict=True) if found else ((), (), ())
        fp_hi, fp_lo = self._fingerprinter.effects(topics, [effect.key for effect in effects])
        return EffectBatch(
            sink=self._sink,
            position=np.array(positions, np.uint64),
            at=np.array([effect.at for effect in effects], np.int64),
            fp_hi=fp_hi,
            fp_lo=fp_lo,
            effect_id=self._fingerprinter.effect_ids([effect.effect_id for effect in effects]),
        )
