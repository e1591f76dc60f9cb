"""SipHash-2-4 with 128-bit output over many messages at once (Aumasson and Bernstein, 2012).

The rounds run on columns: one numpy operation advances a block of messages. A message is a run of 64-bit
little-endian words whose last word carries the message's length in its top byte, as SipHash asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dupscope.model.batch import I64, U64

SECRET_BYTES = 16
"""Length of a SipHash key."""

_WORD = 8
_PADS = tuple(bytes(_WORD - used) for used in range(_WORD))
_BLOCK = 16384
"""Messages that advance together: enough to hide the cost of a call, few enough for the cache."""

_FIRST_HALF, _SECOND_HALF = np.uint64(0xEE), np.uint64(0xDD)


def _column(*numbers: int) -> U64:
    return np.array([[number] for number in numbers], np.uint64)


def _turn(*bits: int) -> tuple[U64, U64]:
    """Shifts to the left and to the right that together rotate a word to the left."""
    if len(bits) == 1:  # arrays without dimensions: the cheapest constants that numpy takes
        return np.array(bits[0], np.uint64), np.array(64 - bits[0], np.uint64)
    return _column(*bits), _column(*(64 - some for some in bits))


_EVEN_START = _column(0x736F6D6570736575, 0x6C7967656E657261)
_ODD_START = _column(0x646F72616E646F6D ^ 0xEE, 0x7465646279746573)
_FIRST_TURN, _SECOND_TURN, _HALF_TURN = _turn(13, 16), _turn(17, 21), _turn(32)


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages as words: `flat[start : start + count]` is one message, its length byte in the last word."""

    flat: U64
    starts: I64
    counts: I64

    def __len__(self) -> int:
        return len(self.starts)


def word_counts(lengths: I64) -> I64:
    """Number of words of messages of so many bytes: the length byte always needs room."""
    counts: I64 = lengths // _WORD + 1
    return counts


def pack_messages(messages: Sequence[bytes]) -> Messages:
    """Messages of any lengths, one behind the other."""
    padded = bytearray().join([message + _PADS[len(message) % _WORD] for message in messages])
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    counts = word_counts(lengths)
    ends = np.cumsum(counts)
    octets = np.frombuffer(padded, np.uint8)
    octets[ends * _WORD - 1] = lengths & 0xFF
    return Messages(octets.view("<u8"), ends - counts, counts)


def split_key(key: bytes) -> tuple[U64, U64]:
    """A 16-byte key as the two columns (of one row) that `siphash128` takes."""
    assert len(key) == SECRET_BYTES, "a SipHash key has 16 bytes"
    words = np.frombuffer(key, "<u8").astype(np.uint64)
    return words[:1], words[1:]


def siphash128(messages: Messages, key: tuple[U64, U64]) -> tuple[U64, U64]:
    """The digests as two columns: bytes 0-7 and bytes 8-15 of each, read as little-endian numbers.

    `key` has one row for all messages, or one row for each.
    """
    rows = len(messages)
    key_low, key_high = (np.broadcast_to(column, rows) for column in key)
    first, second = np.empty(rows, np.uint64), np.empty(rows, np.uint64)
    order = _longest_first(messages.counts)
    for begin in range(0, rows, _BLOCK):
        block = order[begin : begin + _BLOCK]
        state = _State(key_low[block], key_high[block])
        _absorb(state, messages, block)
        first[block], second[block] = state.finish()
    return first, second


def digest128(message: bytes, key: bytes) -> bytes:
    """The digest of one message: 16 bytes."""
    first, second = siphash128(pack_messages([message]), split_key(key))
    return first.astype("<u8").tobytes() + second.astype("<u8").tobytes()


def _longest_first(counts: I64) -> I64:
    """Row numbers by falling word count, so that the rows still being absorbed are always a prefix."""
    if not len(counts) or counts.min() == counts.max():
        return np.arange(len(counts))
    return np.argsort(-counts, kind="stable")


def _absorb(state: _State, messages: Messages, rows: I64) -> None:
    """Feed the words of some messages, ordered longest first, to their states."""
    starts, counts = messages.starts[rows], messages.counts[rows]
    longest = int(counts[0])
    active = len(rows) - np.searchsorted(counts[::-1], np.arange(longest), side="right")
    for index, prefix in enumerate(active.tolist()):
        state.absorb(messages.flat.take(starts[:prefix] + index), prefix)


class _State:
    """The four state words of a block of messages, in pairs that take the same step at the same time."""

    def __init__(self, key_low: U64, key_high: U64) -> None:
        self._even = np.stack((key_low, key_low)) ^ _EVEN_START
        self._odd = np.stack((key_high, key_high)) ^ _ODD_START
        self._scratch = np.empty_like(self._even)

    def absorb(self, word: U64, prefix: int) -> None:
        """Two rounds with one word of each of the first `prefix` messages."""
        even, odd = self._even[:, :prefix], self._odd[:, :prefix]
        np.bitwise_xor(odd[1], word, odd[1])
        _rounds(2, even, odd, self._scratch[:, :prefix])
        np.bitwise_xor(even[0], word, even[0])

    def finish(self) -> tuple[U64, U64]:
        """Both halves of the digests."""
        np.bitwise_xor(self._even[1], _FIRST_HALF, self._even[1])
        first = self._squeezed()
        np.bitwise_xor(self._odd[0], _SECOND_HALF, self._odd[0])
        return first, self._squeezed()

    def _squeezed(self) -> U64:
        _rounds(4, self._even, self._odd, self._scratch)
        folded = self._even ^ self._odd
        squeezed: U64 = folded[0] ^ folded[1]
        return squeezed


def _rounds(times: int, even: U64, odd: U64, scratch: U64) -> None:
    """SipRounds on `even` (v0 and v2) and `odd` (v1 and v3), in place."""
    crossed_even, crossed_odd = even[::-1], odd[::-1]
    for _ in range(times):
        np.add(even, odd, even)
        _rotate(odd, _FIRST_TURN, scratch)
        np.bitwise_xor(odd, even, odd)
        _rotate(even[0], _HALF_TURN, scratch[0])
        np.add(even, crossed_odd, even)
        _rotate(odd, _SECOND_TURN, scratch)
        np.bitwise_xor(odd, crossed_even, odd)
        _rotate(even[1], _HALF_TURN, scratch[1])


def _rotate(words: U64, turn: tuple[U64, U64], scratch: U64) -> None:
    left, right = turn
    np.left_shift(words, left, scratch)
    np.right_shift(words, right, words)
    np.bitwise_or(words, scratch, words)
