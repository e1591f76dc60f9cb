from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dupscope.forensics.oracle import Copy, Effect
from dupscope.forensics.sample import Sample
from dupscope.model.batch import EffectBatch, RecordBatch
from dupscope.model.position import Partition, pack

PARTITIONS = [
    Partition(0, "primary-id", "topic-id", "payments", "payments", 0),
    Partition(0, "primary-id", "topic-id", "payments", "payments", 1),
]
OLD = np.zeros(1, np.bool_)


def digest(number: int) -> tuple[int, int]:
    draw = random.Random(number)
    return draw.getrandbits(64), draw.getrandbits(64)


def batch(numbers: list[int], first: int = 0, slot: int = 0) -> RecordBatch:
    """One record of each key, at offsets from `first` on."""
    count = len(numbers)
    halves = np.array([digest(number) for number in numbers], np.uint64).reshape(count, 2)
    position = np.array([pack(slot, first + index) for index in range(count)], np.uint64)
    timestamp, content = np.arange(count, dtype=np.int64), np.full(count, 7, np.uint64)
    return RecordBatch(0, position, timestamp, halves[:, 0], halves[:, 1], content)


def effects(*numbers: int) -> EffectBatch:
    halves = np.array([digest(number) for number in numbers], np.uint64)
    count = len(numbers)
    position = np.array([pack(0, number) for number in numbers], np.uint64)
    at, ids = np.arange(count, dtype=np.int64), np.ones(count, np.uint32)
    return EffectBatch(0, position, at, halves[:, 0], halves[:, 1], ids)


def none_of(numbers: list[int]) -> np.ndarray:
    return np.zeros(len(numbers), np.bool_)


def all_of(numbers: list[int]) -> np.ndarray:
    return np.ones(len(numbers), np.bool_)


def made(size: int = 100, seed: int = 1, limit: int = 1000) -> Sample:
    return Sample(size, seed, PARTITIONS, limit)


class TestChoice:
    @given(st.lists(st.integers(0, 400), max_size=300), st.integers(1, 20), st.integers(0, 5), st.data())
    def test_the_keys_do_not_depend_on_how_they_come(self, numbers, size, seed, data):
        """As many as asked, or all; each with every record of it, in any order and portions."""
        at_once, in_portions = made(size, seed), made(size, seed)
        at_once.records(batch(numbers), none_of(numbers))
        first = 0
        while first < len(numbers):
            portion = numbers[first : first + data.draw(st.integers(1, 50))]
            in_portions.records(batch(portion, first), none_of(portion))
            first += len(portion)
        at_once.settle()
        in_portions.settle()

        assert len(at_once.keys) == min(size, len(set(numbers)))
        assert in_portions.keys.keys() == at_once.keys.keys()
        for number in set(numbers):
            for sample in (at_once, in_portions):
                key = sample.keys.get(digest(number))
                assert key is None or len(key.copies) == numbers.count(number)
                assert (digest(number) in sample) == (key is not None)

    def test_another_seed_takes_others(self):
        numbers = list(range(1000))
        samples = [made(50, seed) for seed in (1, 1, 2)]
        for sample in samples:
            sample.records(batch(numbers), none_of(numbers))
            sample.settle()

        one, again, other = [set(sample.keys) for sample in samples]
        assert one == again
        assert len(one & other) < 25

    def test_memory_does_not_follow_the_number_of_keys(self):
        sample, most = made(10), 0
        for first in range(0, 5000, 50):
            numbers = list(range(first, first + 50))
            sample.records(batch(numbers), none_of(numbers))
            most = max(most, len(sample.keys))

        assert most <= 20


class TestKey:
    def test_it_has_what_the_records_say(self):
        sample, marked = made(), batch([5], first=42, slot=1)
        sample.records(
            RecordBatch(
                0,
                marked.position,
                marked.timestamp,
                marked.fp_hi,
                marked.fp_lo,
                marked.content,
                np.ones(1, np.bool_),
            ),
            OLD,
        )
        key = sample.keys[digest(5)]

        place = (1, 42, "primary-id", "topic-id")
        assert key.copies == [Copy(0, pack(1, 42), place, 0, 7, redriven=True)]
        assert (key.topic, key.grows, key.is_hot) == ("payments", False, False)

    def test_a_hot_one_is_not_kept_whole(self):
        sample, numbers = made(limit=3), [5] * 10
        sample.records(batch(numbers), none_of(numbers))
        key = sample.keys[digest(5)]

        assert (len(key.copies), key.is_hot) == (3, True)

    @pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
    def test_what_comes_behind_is_noted_before_and_after_the_choice(self, order):
        sample = made()
        steps = [
            lambda: sample.records(batch([5, 6]), none_of([5, 6])),
            lambda: sample.records(batch([5, 7], 9), all_of([5, 7])),
            sample.settle,
        ]
        for step in order:
            steps[step]()

        grows = {number: sample.keys[digest(number)].grows for number in (5, 6)}
        assert grows == {5: True, 6: False}
        assert digest(7) not in sample.keys

    def test_no_record_becomes_a_copy_after_the_choice(self):
        sample = made()
        sample.records(batch([5]), OLD)
        sample.settle()
        sample.records(batch([5, 6], 1), none_of([5, 6]))

        assert [len(key.copies) for key in sample.keys.values()] == [1]


class TestEffects:
    def test_they_join_the_keys_that_were_chosen(self):
        sample = made()
        sample.records(batch([5]), OLD)
        sample.settle()
        sample.effects(effects(5, 6, 5), np.array([False, False, False]))

        assert sample.keys[digest(5)].effects == [Effect(0, pack(0, 5), 0, 1), Effect(0, pack(0, 5), 2, 1)]
        assert len(sample.keys) == 1

    def test_one_behind_what_is_judged_is_only_noted(self):
        sample = made()
        sample.records(batch([5]), OLD)
        sample.settle()
        sample.effects(effects(5), np.array([True]))

        assert (sample.keys[digest(5)].effects, sample.keys[digest(5)].grows) == ([], True)

    def test_too_many_make_a_key_hot(self):
        sample = made(limit=1)
        sample.records(batch([5]), OLD)
        sample.settle()
        sample.effects(effects(5, 5), np.array([False, False]))

        assert (len(sample.keys[digest(5)].effects), sample.keys[digest(5)].is_hot) == (1, True)
