from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dupscope.fingerprint.digest import ContentDigest, derive

SECRET = bytes(range(16))
digest = ContentDigest(SECRET)


class TestDerive:
    """Labels are told apart, not joined."""

    def test_every_list_of_labels_has_its_own_key(self) -> None:
        lists = [(), ("",), ("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab")]
        assert len({derive(SECRET, *labels) for labels in lists}) == len(lists)

    def test_depends_on_the_secret(self) -> None:
        assert derive(SECRET, "a") == derive(SECRET, "a") != derive(bytes(16), "a")


class TestContentDigest:
    """Key bytes are in the high half, value bytes in the low half; null is neither empty nor equal to it."""

    def test_halves(self) -> None:
        column = digest.columns([b"k", b"k", b"x"], [b"v", b"w", b"v"])
        high, low = (column >> np.uint64(32)).tolist(), (column & np.uint64(0xFFFFFFFF)).tolist()
        assert high[0] == high[1] != high[2]
        assert low[0] == low[2] != low[1]

    def test_equal_octets_have_equal_halves(self) -> None:
        (content,) = digest.columns([b"same"], [b"same"]).tolist()
        assert content >> 32 == content & 0xFFFFFFFF

    def test_null_differs_from_empty(self) -> None:
        contents = digest.columns([None, b"", None, b""], [None, None, b"", b""]).tolist()
        assert len(set(contents)) == 4

    @given(st.lists(st.one_of(st.none(), st.binary(max_size=20))))
    def test_a_null_does_not_change_its_neighbours(self, column: list[bytes | None]) -> None:
        alone = [digest.columns([octets], [octets])[0] for octets in column]
        assert digest.columns(column, column).tolist() == [int(content) for content in alone]

    def test_depends_on_the_secret(self) -> None:
        other = ContentDigest(bytes(16))
        assert other.columns([b"k"], [b"v"]).tolist() != digest.columns([b"k"], [b"v"]).tolist()


class TestShort:
    """A short digest fits 32 bits and is never 0."""

    @given(st.binary(max_size=20))
    def test_range(self, octets: bytes) -> None:
        assert 0 < digest.short(octets) < 1 << 32
