"""The layers of a pipeline."""

from __future__ import annotations

from enum import StrEnum


class Layer(StrEnum):
    """Where a duplicate was made."""

    PRODUCE = "produce"
    MIRROR = "mirror"
    CONSUME = "consume"
