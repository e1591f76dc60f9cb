"""Which source topic each topic of a mirror copies, by the mirror's naming policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dupscope.config.problems import Problems, nearest
from dupscope.config.tree import MirrorNode

LATER_PATTERNS = "topics by pattern ('^…') come in a later version; for now name each topic"


def plain_names(topics: list[str], path: str, problems: Problems) -> list[str]:
    """The topics that are names. Patterns and repeats are reported."""
    names: list[str] = []
    for index, topic in enumerate(topics):
        if topic.startswith("^"):
            problems.add(f"{path}[{index}]", LATER_PATTERNS)
        elif topic in names:
            problems.add(f"{path}[{index}]", f"'{topic}' is given twice; keep one")
        elif topic:
            names.append(topic)
    return names


def mirrored(
    mirror: MirrorNode, upstream: Mapping[str, str], path: str, problems: Problems
) -> dict[str, str]:
    """Physical topic -> logical topic of a mirror, given those of the log that it copies."""
    names = plain_names(mirror.topics, f"{path}.topics", problems)
    if not upstream:
        return {}
    copied = _policy(mirror)
    found = {}
    for topic in names:
        origin = next((candidate for candidate in copied(topic) if candidate in upstream), None)
        if origin is None:
            index = mirror.topics.index(topic)
            problems.add(f"{path}.topics[{index}]", _unmapped(mirror, topic, upstream))
        else:
            found[topic] = upstream[origin]
    return found


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


def _unmapped(mirror: MirrorNode, topic: str, upstream: Mapping[str, str]) -> str:
    """Why a topic has no origin upstream, and what to write."""
    known = ", ".join(f"'{name}'" for name in upstream)
    if mirror.policy.kind == "map":
        target = mirror.policy.topics.get(topic)
        if target is None:
            return f"'{topic}' is not in policy.map; add '{topic}: <topic of {mirror.from_}>'"
        return (
            f"policy.map says '{topic}' copies '{target}', which {mirror.from_} has not; "
            f"{nearest(target, upstream)}"
        )
    if mirror.policy.kind == "identity":
        return (
            f"'{topic}' is no topic of {mirror.from_} ({known}); with policy 'identity' names must be equal"
        )
    if topic in upstream:
        return f"'{topic}' has the name of its source topic; add 'policy: identity' to this mirror"
    expected = f"<alias>{mirror.separator}{next(iter(upstream))}"
    return (
        f"'{topic}' copies no topic of {mirror.from_} ({known}); the default policy expects '{expected}': "
        "correct the name, or set 'policy' or 'separator'"
    )
