from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dupscope.fingerprint import siphash
from dupscope.fingerprint.siphash import digest128, pack_messages, siphash128, split_key

MASK = (1 << 64) - 1
KEY = bytes(range(16))

REFERENCE = bytes.fromhex("""
a3817f04ba25a8e66df67214c7550293
da87c1d86b99af44347659119b22fc45
8177228da4a45dc7fca38bdef60affe4
9c70b60c5267a94e5f33b6b02985ed51
f88164c12d9c8faf7d0f6e7c7bcd5579
1368875980776f8854527a07690e9627
14eeca338b208613485ea0308fd7a15e
a1f1ebbed8dbc153c0b84aa61ff08239
3b62a9ba6258f5610f83e264f31497b4
264499060ad9baabc47f8b02bb6d71ed
00110dc378146956c95447d3f3d0fbba
0151c568386b6677a2b4dc6f81e5dc18
d626b266905ef35882634df68532c125
9869e247e9c08b10d029934fc4b952f7
31fcefac66d7de9c7ec7485fe4494902
5493e99933b0a8117e08ec0f97cfc3d9
6ee2a4ca67b054bbfd3315bf85230577
473d06e8738db89854c066c47ae47740
a426e5e423bf4885294da481feaef723
78017731cf65fab074d5208952512eb1
9e25fc833f2290733e9344a5e83839eb
568e495abe525a218a2214cd3e071d12
4a29b54552d16b9a469c10528eff0aae
c9d184ddd5a9f5e0cf8ce29a9abf691c
2db479ae78bd50d8882a8a178a6132ad
8ece5f042d5e447b5051b9eacb8d8f6f
9c0b53b4b3c307e87eaee08678141f66
abf248af69a6eae4bfd3eb2f129eeb94
0664da1668574b88b935f3027358aef4
aa4b9dc4bf337de90cd4fd3c467c6ab7
ea5c7f471faf6bde2b1ad7d4686d2287
2939b0183223fafc1723de4f52c43d35
7c3956ca5eeafc3e363e9d556546eb68
77c6077146f01c32b6b69d5f4ea9ffcf
37a6986cb8847edf0925f0f1309b54de
a705f0e69da9a8f907241a2e923c8cc8
3dc47d1f29c448461e9e76ed904f6711
0d62bf01e6fc0e1a0d3c4751c5d3692b
8c03468bca7c669ee4fd5e084bbee7b5
528a5bb93baf2c9c4473cce5d0d22bd9
df6a301e95c95dad97ae0cc8c6913bd8
801189902c857f39e73591285e70b6db
e617346ac9c231bb3650ae34ccca0c5b
27d93437efb721aa401821dcec5adf89
89237d9ded9c5e78d8b1c9b166cc7342
4a6d8091bf5e7d651189fa94a250b14c
0e33f96055e7ae893ffc0e3dcf492902
e61c432b720b19d18ec8d84bdc63151b
f7e5aef549f782cf379055a608269b16
438d030fd0b7a54fa837f2ad201a6403
a590d3ee4fbf04e3247e0d27f286423f
5fe2c1a172fe93c4b15cd37caef9f538
2c97325cbd06b36eb2133dd08b3a017c
92c814227a6bca949ff0659f002ad39e
dce850110bd8328cfbd50841d6911d87
67f14984c7da791248e32bb5922583da
1938f2cf72d54ee97e94166fa91d2a36
74481e9646ed49fe0f6224301604698e
57fca5de98a9d6d8006438d0583d8a1d
9fecde1cefdc1cbed4763674d9575359
e3040c00eb28f15366ca73cbd872e740
7697009a6a831dfecca91c5993670f7a
5853542321f567a005d547a4f04759bd
5150d1772f50834a503e069a973fbd7c
""")
"""64 digests of 16 bytes that SipHash's authors published: of 0 to 63 bytes 00, 01, 02… under `KEY`."""


def scalar_siphash128(message: bytes, key: bytes) -> bytes:
    """The definition, one word at a time."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [
        low ^ 0x736F6D6570736575,
        high ^ 0x646F72616E646F6D ^ 0xEE,
        low ^ 0x6C7967656E657261,
        high ^ 0x7465646279746573,
    ]

    def turn(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & MASK

    def rounds(times: int) -> None:
        for _ in range(times):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = len(message) // 8 * 8
    words = [message[at : at + 8] for at in range(0, whole, 8)]
    words.append(message[whole:].ljust(7, b"\0") + bytes([len(message) & 0xFF]))
    for word in words:
        number = int.from_bytes(word, "little")
        v[3] ^= number
        rounds(2)
        v[0] ^= number
    v[2] ^= 0xEE
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return first.to_bytes(8, "little") + (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


def many(messages: list[bytes], key: bytes) -> list[bytes]:
    first, second = siphash128(pack_messages(messages), split_key(key))
    return [a.tobytes() + b.tobytes() for a, b in zip(first, second, strict=True)]


class TestReferenceVectors:
    """The digests are those that SipHash's authors published."""

    def test_one_at_a_time(self) -> None:
        assert b"".join(digest128(bytes(range(n)), KEY) for n in range(64)) == REFERENCE

    def test_all_lengths_in_one_batch(self) -> None:
        assert b"".join(many([bytes(range(n)) for n in range(64)], KEY)) == REFERENCE

    def test_the_scalar_oracle_agrees(self) -> None:
        assert b"".join(scalar_siphash128(bytes(range(n)), KEY) for n in range(64)) == REFERENCE


class TestSiphash128:
    """A batch of messages has the digests that each message has alone."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.binary(max_size=70), max_size=40), st.binary(min_size=16, max_size=16))
    def test_equals_the_scalar_definition(self, messages: list[bytes], key: bytes) -> None:
        assert many(messages, key) == [scalar_siphash128(message, key) for message in messages]

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=40), st.binary(min_size=16, max_size=16)), min_size=1))
    def test_takes_one_key_per_message(self, pairs: list[tuple[bytes, bytes]]) -> None:
        keys = [split_key(key) for _, key in pairs]
        columns = (np.concatenate([low for low, _ in keys]), np.concatenate([high for _, high in keys]))
        first, second = siphash128(pack_messages([message for message, _ in pairs]), columns)
        expected = [scalar_siphash128(message, key) for message, key in pairs]
        assert [a.tobytes() + b.tobytes() for a, b in zip(first, second, strict=True)] == expected

    @pytest.mark.parametrize("rows", [siphash._BLOCK - 1, siphash._BLOCK, siphash._BLOCK + 1])
    def test_block_edges_do_not_show(self, rows: int) -> None:
        messages = [b"m" * (row % 23) + b"%d" % row for row in range(rows)]
        digests = many(messages, KEY)
        for row in (0, 1, 22, rows // 2, rows - 2, rows - 1):
            assert digests[row] == scalar_siphash128(messages[row], KEY)

    def test_one_long_message_among_short_ones(self) -> None:
        messages = [b"a", b"x" * 3_001, b""]
        assert many(messages, KEY) == [scalar_siphash128(message, KEY) for message in messages]

    def test_no_message_no_digest(self) -> None:
        assert many([], KEY) == []

    def test_the_result_does_not_alias_the_key(self) -> None:
        key = split_key(KEY)
        siphash128(pack_messages([b"a"]), key)
        assert (key[0].tobytes() + key[1].tobytes()) == KEY


class TestSplitKey:
    """A key has 16 bytes."""

    def test_refuses_another_length(self) -> None:
        with pytest.raises(AssertionError, match="16 bytes"):
            split_key(b"short")
