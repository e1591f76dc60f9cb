"""Loads a configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from dupscope.config.compose import clusters_of, compose
from dupscope.config.problems import Problems, join
from dupscope.config.reader import Reader, hints
from dupscope.config.secrets import Surroundings
from dupscope.config.settings import Config
from dupscope.config.tree import Document
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ConfigError


def load(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration in a file. Raises `ConfigError` with everything that is wrong with it.

    Relative paths in the file are taken from the file's own folder. `env` answers `{env: NAME}`.
    """
    problems = Problems(str(path))
    raw = _parse(_text(path), problems)
    document = Reader(problems).read(Document, raw, "")
    config = compose(path, document, env, problems)
    problems.raise_if_any()
    return config


def load_clusters(path: Path, env: Mapping[str, str]) -> dict[str, ClusterSettings]:
    """The clusters in a file, whatever else it holds. Raises `ConfigError` with what is wrong with them."""
    problems = Problems(str(path))
    raw = _parse(_text(path), problems)
    section = raw.get("clusters") if isinstance(raw, dict) else None
    specs = Reader(problems).read(hints(Document)["clusters"], section, "clusters")
    found = clusters_of(specs, Surroundings(path.parent, env), problems)
    problems.raise_if_any()
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text; save it as UTF-8"]) from None


def _parse(text: str, problems: Problems) -> object:
    """What the text holds. Raises at once when it is no YAML, since nothing more can be said."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problems.add("", f"is not YAML: {_where(error)}")
        problems.raise_if_any()
        raise
    if raw is None:
        problems.add(
            "", "is empty; it needs 'clusters' and 'pipelines' ('dupscope keys TOPIC…' writes a first one)"
        )
        problems.raise_if_any()
    for path, first, second in _repeated(root, "", set()):
        problems.add(path, f"is given twice, in lines {first} and {second}; keep one")
    return raw


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error).splitlines()[0]


def _repeated(node: yaml.Node | None, path: str, seen: set[int]) -> Iterator[tuple[str, int, int]]:
    """Keys that a mapping has twice, with both lines: YAML would keep the last one without a word."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            yield from _repeated(entry, f"{path}[{index}]", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[object, int] = {}
        for key, entry in node.value:
            line = key.start_mark.line + 1
            if key.value in lines:
                yield join(path, key.value), lines[key.value], line
            lines[str(key.value)] = line
            yield from _repeated(entry, join(path, key.value), seen)
