"""Loads a configuration file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dupscope.config.compose import clusters_of, compose
from dupscope.config.problems import Problems, join
from dupscope.config.reader import Reader, hints
from dupscope.config.replays import replays, stages_in
from dupscope.config.secrets import Surroundings
from dupscope.config.settings import Config
from dupscope.config.tree import Document, Node
from dupscope.kafka.settings import ClusterSettings
from dupscope.model.errors import ConfigError
from dupscope.model.replay import Replay

_NEEDS = "it needs 'clusters' and 'pipelines' ('dupscope keys TOPIC…' writes a first one)"


class _Loader(yaml.SafeLoader):
    """Leaves times as the text that they are, so that a problem is told in its own words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration in a file. Raises `ConfigError` with everything that is wrong with it.

    Relative paths in the file are taken from the file's own folder. `env` answers `{env: NAME}`.
    """
    problems = Problems(str(path))
    document = read_file(path, Document, problems, _NEEDS)
    config = compose(path, document, env, problems)
    problems.raise_if_any()
    return config


def read_file(path: Path, kind: type[Node], problems: Problems, needs: str) -> Any:  # noqa: ANN401 - a `kind`
    """The document of a file. An empty one is told what it `needs`. Raises ConfigError if it is no YAML."""
    return Reader(problems).read(kind, _parse(_text(path), problems, needs=needs), "")


def load_clusters(path: Path, env: Mapping[str, str]) -> dict[str, ClusterSettings]:
    """The clusters in a file, whatever else it holds. Raises `ConfigError` with what is wrong with them."""
    problems = Problems(str(path))
    raw = _parse(_text(path), problems)
    section = raw.get("clusters") if isinstance(raw, dict) else None
    specs = Reader(problems).read(hints(Document)["clusters"], section, "clusters")
    found = clusters_of(specs, Surroundings(path.parent, env), problems)
    problems.raise_if_any()
    return found


def load_replays(path: Path) -> dict[str, tuple[Replay, ...]]:
    """The declared replays in a file, by pipeline, whatever else is wrong with it.

    A pipeline without one is not in the answer. Raises `ConfigError` with what is wrong with the replays, and
    when the file cannot be read or is no YAML.
    """
    problems = Problems(str(path))
    raw = _parse(_text(path), problems, "replays")
    document = raw if isinstance(raw, dict) else {}
    nodes = Reader(problems).read(hints(Document)["replays"], document.get("replays"), "replays")
    found = replays(nodes, stages_in(document), problems)
    problems.raise_if_any()
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text; save it as UTF-8"]) from None


def _parse(text: str, problems: Problems, section: str = "", needs: str = _NEEDS) -> object:
    """What the text holds. Raises at once when it is no YAML, since nothing more can be said.

    Of what is given twice only that in `section` is told, everything when it is "".
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:
        problems.add("", f"is not YAML: {_where(error)}")
        problems.raise_if_any()
        raise
    if raw is None:
        problems.add("", f"is empty; {needs}")
        problems.raise_if_any()
    for path, first, second in _repeated(root, "", set()):
        if not section or re.split(r"[.[]", path)[0] == section:
            problems.add(path, f"is given twice, in lines {first} and {second}; keep one")
    return raw


def _where(error: Exception) -> str:
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
