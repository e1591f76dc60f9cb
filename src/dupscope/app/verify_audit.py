"""An audit file once more, from its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dupscope.audit.folder import is_pattern
from dupscope.audit.line import Effect, LineReader
from dupscope.audit.places import Places, Resolver
from dupscope.audit.position import AuditPosition
from dupscope.audit.reasons import InvalidLineError
from dupscope.audit.settings import AuditSettings, FileSource
from dupscope.fingerprint.columns import Fingerprinter
from dupscope.forensics.sample import Sample
from dupscope.model.batch import EffectBatch

EFFECTS_AT_ONCE = 5_000

Found = tuple[Effect, int, str, bool]
"""An effect, its packed position, its logical topic, and whether it lies behind what was committed."""


class AuditAgain:
    """Reads one sink's file again, for the keys of a sample."""

    def __init__(
        self, settings: AuditSettings, sink: int, resolver: Resolver, fingerprinter: Fingerprinter
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._places = Places(resolver, settings.logical_topic)
        self._fingerprinter = fingerprinter
        self._reader = LineReader(settings, fingerprinter.spec)

    def read(self, saved: Any, sample: Sample) -> bool:  # noqa: ANN401 - what the audit log saved
        """Hand all effects to a sample. False where what was committed cannot be read again, or not whole."""
        if not isinstance(self._settings.source, FileSource) or is_pattern(self._settings.source.path):
            return False
        committed = AuditPosition.from_tree(saved)
        try:
            with Path(self._settings.source.path).open("rb") as file:
                if committed.inode and not committed.fits(file.fileno()):
                    return False
                for block in self._blocks(file, committed.offset):
                    sample.effects(*self._columns(block))
        except OSError:
            return not committed.inode
        return True

    def _blocks(self, file: BinaryIO, committed: int) -> Iterator[list[Found]]:
        block: list[Found] = []
        for end, line in whole_lines(file, self._settings.max_line_bytes):
            effect = self._effect(line)
            if effect is not None:
                block.append((*effect, end > committed))
            if len(block) >= EFFECTS_AT_ONCE:
                yield block
                block = []
        yield block

    def _effect(self, line: bytes) -> tuple[Effect, int, str] | None:
        """What a line reports; None for nothing, and for a line that cannot be understood."""
        if not line or line.isspace():
            return None
        try:
            effect = self._reader.read(line)
            return None if effect is None else (effect, *self._places.of(effect))
        except InvalidLineError:
            return None

    def _columns(self, block: list[Found]) -> tuple[EffectBatch, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        effects = [effect for effect, *_ in block]
        high, low = self._fingerprinter.effects(
            [topic for *_, topic, _ in block], [effect.key for effect in effects]
        )
        batch = EffectBatch(
            self._sink,
            np.array([position for _, position, *_ in block], np.uint64),
            np.array([effect.at for effect in effects], np.int64),
            high,
            low,
            self._fingerprinter.effect_ids([effect.effect_id for effect in effects]),
        )
        return batch, np.array([is_new for *_, is_new in block], np.bool_)


def whole_lines(file: BinaryIO, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Lines that end with a newline and are not too long, without it, with the offset behind each."""
    end, is_torn = 0, False
    while line := file.readline(max_line_bytes + 1):
        end += len(line)
        is_whole = line.endswith(b"\n")
        if is_whole and not is_torn:
            yield end, line[:-1]
        is_torn = not is_whole
