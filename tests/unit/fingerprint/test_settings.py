from __future__ import annotations

from typing import Literal

import pytest

from dupscope.fingerprint.settings import KeySpec, describe, split_path


class TestKeySpec:
    """A specification that no record could meet is refused."""

    @pytest.mark.parametrize(
        ("kind", "paths", "problem"),
        [
            ("kafka_key", ("a",), "a key of kind 'kafka_key' cannot have 1 paths"),
            ("header", (), "a key of kind 'header' cannot have 0 paths"),
            ("header", ("a", "b"), "a key of kind 'header' cannot have 2 paths"),
            ("json", (), "a key of kind 'json' cannot have 0 paths"),
            ("json", ("",), "the JSON path '' has an empty step"),
            ("json", ("a..b",), "the JSON path 'a..b' has an empty step"),
            ("json", ("a", "a"), "the JSON path 'a' is named twice, or leads to a field and through it"),
            ("json", ("a", "a.b"), "the JSON path 'a' is named twice, or leads to a field and through it"),
        ],
    )
    def test_refused(
        self, kind: Literal["kafka_key", "header", "json"], paths: tuple[str, ...], problem: str
    ) -> None:
        with pytest.raises(ValueError, match=problem[:10]) as caught:
            KeySpec(kind, paths)
        assert str(caught.value) == problem

    def test_paths_may_share_their_first_steps(self) -> None:
        assert KeySpec("json", ("a.b", "a.c")).paths == ("a.b", "a.c")


class TestSplitPath:
    """Dots separate steps, unless they are escaped."""

    @pytest.mark.parametrize(
        ("path", "steps"),
        [("a", ("a",)), ("a.b", ("a", "b")), (r"a\.b.c", ("a.b", "c")), ("a.", ("a", ""))],
    )
    def test_steps(self, path: str, steps: tuple[str, ...]) -> None:
        assert split_path(path) == steps


class TestDescribe:
    """A specification reads as words."""

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            (KeySpec("kafka_key"), "the Kafka key"),
            (KeySpec("header", ("id",)), "the header 'id'"),
            (KeySpec("json", ("a.b",)), "the JSON path a.b"),
            (KeySpec("json", ("a.b", "c")), "the JSON paths a.b + c"),
        ],
    )
    def test_words(self, spec: KeySpec, words: str) -> None:
        assert describe(spec) == words
