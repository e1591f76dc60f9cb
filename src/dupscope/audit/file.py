"""An audit file of one sink, from appended lines to batches of effects."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dupscope.audit.follow import FollowedFile
from dupscope.audit.line import Effect, LineReader
from dupscope.audit.places import Places, Resolver
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import InvalidLineError, InvalidReason
from dupscope.audit.settings import AuditSettings
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.model.batch import AuditRead, EffectBatch


class AuditFile:
    """Follows one JSON-lines file. Its lines are read once each, and never logged.

    One thread uses it. Nothing blocks but the file system; a file that does not exist has no lines yet.
    """

    def __init__(
        self, settings: AuditSettings, sink: int, resolver: Resolver, fingerprinter: Fingerprinter
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._resolver = resolver
        self._fingerprinter = fingerprinter
        self._reader = LineReader(settings, fingerprinter.spec)
        self._file = FollowedFile(settings.path, settings.max_line_bytes)

    @property
    def position(self) -> AuditPosition:
        """How far which file was read: what lies before is in the batches given so far."""
        return self._file.position

    @property
    def offset(self) -> int:
        """Bytes read since the file was opened or sought, also of files that had its path before."""
        return self._file.offset

    def seek(self, position: AuditPosition) -> None:
        """Go on where an earlier reader was, before the first read.

        A file that was renamed since is found in its folder and read to its end. One that is gone, cut or not
        the same any more counts as rotated: the one that has the path is read from its start then.
        """
        self._file.position = position

    def size(self) -> int:
        """The `offset` behind the last whole line as of now; 0 while there is none."""
        return self._file.size()

    def close(self) -> None:
        """Give up the file."""
        self._file.close()

    def read(self, max_lines: int) -> AuditRead:
        """What at most `max_lines` lines that were not read before say. Never raises for what is in the file.

        Blank lines do not count. `lines` are also those that report no effect or are invalid.
        """
        invalid: Counter[str] = Counter()
        lines = [line for line in self._file.read(max_lines, invalid) if line and not line.isspace()]
        passed = invalid[InvalidReason.OVERSIZE]
        places = Places(self._resolver, self._settings.logical_topic)
        found: list[tuple[Effect, int, str]] = []
        for line in lines:
            try:
                effect = self._effect(line)
                if effect is not None:
                    found.append((effect, *places.of(effect)))
            except InvalidLineError as error:
                invalid[error.reason] += 1
        return AuditRead(self._batch(found), len(lines) + passed, +invalid)

    def _effect(self, line: bytes) -> Effect | None:
        if len(line) > self._settings.max_line_bytes:
            raise InvalidLineError(InvalidReason.OVERSIZE)
        return self._reader.read(line)

    def _batch(self, found: list[tuple[Effect, int, str]]) -> EffectBatch:
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
