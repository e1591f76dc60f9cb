from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dupscope.model.errors import StoreDamagedError
from dupscope.model.plain import equal
from dupscope.store.frame import checksum_of, seal, unseal

TREE = {
    "none": None,
    "numbers": [0, -1, 2**64 - 1, 1.5, True],
    "text": "ä",
    "bytes": b"\0\xff",
    7: {"wide": np.arange(6, dtype=np.uint64).reshape(3, 2)},
    "empty": np.empty(0, np.int64),
    "bits": np.array([True, False]),
    "half": np.array([1, 2], np.uint32),
    "short": np.array([3], np.uint16),
    "tiny": np.array([255], np.uint8),
}


class TestSeal:
    def test_comes_back(self):
        """Every kind of value, columns with their type and shape, and ready to be changed."""
        back = unseal(seal(TREE, "here"), "here")
        assert equal(back, TREE)
        assert (back[7]["wide"].dtype, back[7]["wide"].shape) == (np.uint64, (3, 2))
        back[7]["wide"][0, 0] = 9

    @given(st.data())
    def test_any_flipped_bit_of_the_content_is_noticed(self, data):
        """And of the checksum; what is left says that it is no value, never another one."""
        blob = bytearray(seal(TREE, "here"))
        at = data.draw(st.integers(4, len(blob) - 1))
        blob[at] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(StoreDamagedError, match="here"):
            unseal(bytes(blob), "here")

    def test_another_place(self):
        """A value that lies where another belongs is none."""
        with pytest.raises(StoreDamagedError, match="there: its checksum does not fit"):
            unseal(seal(TREE, "here"), "there")

    @pytest.mark.parametrize("blob", [None, "text", b"", b"dup", b"other bytes altogether"])
    def test_no_value(self, blob):
        with pytest.raises(StoreDamagedError, match="here: is no stored value"):
            unseal(blob, "here")

    def test_checksums_tell_values_apart(self):
        assert checksum_of(seal([1], "here")) != checksum_of(seal([2], "here"))

    def test_numbers_of_numpy_are_refused(self):
        """They would come back as something else."""
        with pytest.raises(TypeError, match="number of numpy"):
            seal([np.int64(1)], "here")
