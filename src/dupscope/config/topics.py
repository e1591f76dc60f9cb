"""Which topics belong to a log, and which source topic each topic of a mirror copies."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dupscope.config.problems import Problems, nearest
from dupscope.config.tree import MirrorNode
from dupscope.kafka.selection import TopicSelection

_NEVER_IN_A_NAME = re.compile(r"[\\^$*+?|()\[\]]")


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of topics as the file gives it: names, and patterns, which begin with `^`."""

    names: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Upstream:
    """The topics of the logs that a mirror copies; `name` is what the mirror calls these logs."""

    name: str
    selections: Sequence[TopicSelection]

    def logical(self, topic: str) -> str | None:
        """The logical topic of a topic of one of the logs, None where it is in none."""
        return next(
            filter(None, (selected.chosen((topic,)).get(topic) for selected in self.selections)), None
        )

    @property
    def names(self) -> list[str]:
        """The topics that are named, each once."""
        return list(dict.fromkeys(name for selected in self.selections for name in selected.names))

    @property
    def entries(self) -> list[str]:
        """The topics as the file gives them: names, then patterns."""
        patterns = (pattern.pattern for selected in self.selections for pattern in selected.patterns)
        return [*self.names, *dict.fromkeys(patterns)]


def entries(topics: Sequence[str], path: str, problems: Problems) -> Entries:
    """The names and patterns of a list. What is neither, and repeats, are reported and left out."""
    names: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for index, topic in enumerate(topics):
        try:
            if topic and topic in topics[:index]:
                problems.add(f"{path}[{index}]", f"'{topic}' is given twice; keep one")
            elif topic.startswith("^"):
                patterns.append(_compiled(topic))
            elif topic:
                names.append(_name(topic))
        except ValueError as error:
            problems.add(f"{path}[{index}]", str(error))
    return Entries(tuple(names), tuple(patterns))


def _name(topic: str) -> str:
    if _NEVER_IN_A_NAME.search(topic):
        raise ValueError(f"'{topic}' is no topic's name; a pattern begins with '^': '^{topic}'")
    return topic


def _compiled(pattern: str) -> re.Pattern[str]:
    """Raises ValueError, also where Python warns that it may mean something else, as in `[[:alpha:]]`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}") from None


def selected(topics: Sequence[str], path: str, problems: Problems) -> TopicSelection:
    """The topics of a source, each its own logical topic."""
    found = entries(topics, path, problems)
    return TopicSelection({name: name for name in found.names}, found.patterns, _itself)


def _itself(topic: str) -> str:
    return topic


def mirrored(mirror: MirrorNode, upstream: Upstream, path: str, problems: Problems) -> TopicSelection:
    """The topics of a mirror, with the logical topics of those that they copy."""
    found = entries(mirror.topics, f"{path}.topics", problems)
    if not upstream.entries:
        return TopicSelection()
    copied = _policy(mirror)

    def logical(topic: str) -> str | None:
        return next(filter(None, map(upstream.logical, copied(topic))), None)

    names = {}
    for topic in found.names:
        origin = logical(topic)
        if origin is None:
            index = mirror.topics.index(topic)
            problems.add(f"{path}.topics[{index}]", _unmapped(mirror, topic, upstream))
        else:
            names[topic] = origin
    return TopicSelection(names, found.patterns, logical)


def _policy(mirror: MirrorNode) -> Callable[[str], list[str]]:
    """A function from a mirror's topic to the names it may have upstream, likeliest first."""
    if mirror.policy.kind == "identity":
        return lambda topic: [topic]
    if mirror.policy.kind == "map":
        return lambda topic: [mirror.policy.topics[topic]] if topic in mirror.policy.topics else []
    return lambda topic: _without_alias(topic, mirror.separator)


def _without_alias(topic: str, separator: str) -> list[str]:
    parts = topic.split(separator)
    return [separator.join(parts[count:]) for count in range(1, len(parts)) if parts[0]]


def _unmapped(mirror: MirrorNode, topic: str, upstream: Upstream) -> str:
    """Why a topic has no origin upstream, and what to write."""
    known = ", ".join(f"'{entry}'" for entry in upstream.entries)
    if mirror.policy.kind == "map":
        target = mirror.policy.topics.get(topic)
        if target is None:
            return f"'{topic}' is not in policy.map; add '{topic}: <topic of {upstream.name}>'"
        return (
            f"policy.map says '{topic}' copies '{target}', which {upstream.name} has not; "
            f"{nearest(target, upstream.entries)}"
        )
    if mirror.policy.kind == "identity":
        return (
            f"'{topic}' is no topic of {upstream.name} ({known}); with policy 'identity' names must be equal"
        )
    if upstream.logical(topic) is not None:
        return f"'{topic}' has the name of its source topic; add 'policy: identity' to this mirror"
    expected = f"<alias>{mirror.separator}{upstream.entries[0].removeprefix('^')}"
    return (
        f"'{topic}' copies no topic of {upstream.name} ({known}); the default policy expects '{expected}': "
        "correct the name, or set 'policy' or 'separator'"
    )


def without(topics: TopicSelection, mirrored_ones: Sequence[TopicSelection]) -> TopicSelection:
    """A source's topics without those that its pattern matches and that mirrors write to its cluster."""

    def logical(topic: str) -> str | None:
        if any(topic in each.chosen((topic,)) for each in mirrored_ones):
            return None
        return topics.logical(topic)

    return replace(topics, logical=logical) if topics.patterns and mirrored_ones else topics
