"""Trees of plain values: what is stored, whoever knows what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Column = npt.NDArray[Any]
else:
    Column = Any  # who has no columns, as an agent, does not load numpy

Plain = None | bool | int | float | str | bytes | Column | list[Any] | dict[Any, Any]
"""Values, lists and dictionaries of such; keys are strings or integers. Columns are numpy arrays."""


def equal(one: Plain, other: Plain) -> bool:
    """Whether two trees hold the same, columns element by element."""
    import numpy as np  # noqa: PLC0415 - see `Column`

    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return both and np.array_equal(np.asarray(one), np.asarray(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
