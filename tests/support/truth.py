"""The words of the oracle: places, effects, the shape of a pipeline, lineages, and what is true of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from support.business_key import Key
from support.dump import Dumped

SOURCE = "source"
MAKERS = ("original", "produce", "mirror")
TAG = ("timestamp", "key", "value")

Tag = tuple[int | bytes | None, ...]
Case = tuple[str, Key]


class Where(NamedTuple):
    """A place in a log of a stage, under the topic's physical name.

    `cluster` tells several sources apart and `topic_id` incarnations of a topic; empty where neither matters.
    """

    stage: str
    topic: str
    partition: int
    offset: int
    cluster: str = ""
    topic_id: str = ""


class Effect(NamedTuple):
    """One side effect as the sink's own list has it. Two lines of one `effect_id` are one effect.

    One without a place has its business key, the time `at` in milliseconds, and the logical topic where the
    sink reads several.
    """

    where: Where | None
    effect_id: str | None = None
    key: Key | None = None
    at: int | None = None
    topic: str | None = None


class Replay(NamedTuple):
    """Duplicates of a stage that somebody meant: of a timestamp (for a sink: a time) in [from_ms, to_ms)."""

    stage: str
    from_ms: int
    to_ms: int
    reason: str = "declared"


@dataclass(frozen=True)
class Flow:
    """The shape of a pipeline: mirrors after what they copy; `logical` has the topics that mirrors rename.

    What a mirror copies or a sink reads is a stage, or one cluster's part of it: `source@primary`.

    window_ms  source copies further apart are two cases; None: never
    margin_ms  an effect without place may be stamped so long before the first source copy
    tags       parts of the tag by mirror, where they are not all
    redriven   whether a record says of itself that it was sent again on purpose
    replays    declared ones
    """

    key: tuple[str, ...]
    mirrors: dict[str, str] = field(default_factory=dict)
    sinks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    logical: dict[str, str] = field(default_factory=dict)
    window_ms: int | None = None
    margin_ms: int = 0
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    redriven: Callable[[Dumped], bool] | None = None
    replays: tuple[Replay, ...] = ()

    def logical_topic(self, topic: str) -> str:
        return self.logical.get(topic, topic)

    def tag(self, mirror: str, copy: Dumped) -> Tag:
        """What a mirror preserves of a copy."""
        return tuple(getattr(copy, part) for part in self.tags.get(mirror, TAG))

    def meant(self, stage: str, timestamp: int | None, copy: Dumped | None = None) -> str | None:
        """The reason why a duplicate is intended, None for one that is not."""
        if stage == SOURCE and copy is not None and self.redriven is not None and self.redriven(copy):
            return "redrive"
        for replay in self.replays:
            if replay.stage == stage and replay.from_ms <= (timestamp or 0) < replay.to_ms:
                return replay.reason
        return None

    def from_source(self, spec: str) -> list[tuple[str, str]]:
        """The mirrors from the source down to a log, each with what it copies; none for a source."""
        path: list[tuple[str, str]] = []
        while (stage := spec.partition("@")[0]) != SOURCE:
            spec = self.mirrors[stage]
            path.insert(0, (stage, spec))
        return path


@dataclass(eq=False)
class Lineage:
    """One copy that something made, with its faithful copies: at most one in each stage.

    `acts` are the effects of the sink that is being judged.
    """

    maker: str
    copies: dict[str, Dumped]
    acts: list[Effect] = field(default_factory=list)

    def rank(self) -> tuple[int, tuple[int, int, int, str, str, str]]:
        return MAKERS.index(self.maker), log_order(next(iter(self.copies.values())))

    def at(self, spec: str) -> Dumped | None:
        """Its copy in a stage, or in one cluster's part of a stage."""
        stage, _, cluster = spec.partition("@")
        copy = self.copies.get(stage)
        return copy if copy is not None and cluster in {"", copy.cluster} else None

    def first_read(self, reads: tuple[str, ...]) -> Where | None:
        """The first place, from the source down, where a sink could meet it."""
        stages = {spec.partition("@")[0] for spec in reads if self.at(spec) is not None}
        return next((place(stage, copy) for stage, copy in self.copies.items() if stage in stages), None)


@dataclass
class Truth:
    """What is in the lists.

    `extras` counts, per place, the duplicates found there: source and mirror copies once, a consumed place
    once for each effect beyond the first. `duplicates` is by (layer, stage, logical topic, kind), `intended`
    and `unverified` by (layer, stage, reason), `effects` by (sink, origin), `missing` by mirror,
    `extra_copies` and `absorbed` by sink, `unkeyed` by stage. `orphans` are places of copies whose case has
    nothing upstream.
    """

    extras: Counter[Where] = field(default_factory=Counter)
    duplicates: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    intended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    deficit: Counter[str] = field(default_factory=Counter)
    extra_copies: Counter[str] = field(default_factory=Counter)
    absorbed: Counter[str] = field(default_factory=Counter)
    unverified: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unkeyed: Counter[str] = field(default_factory=Counter)
    orphans: set[Where] = field(default_factory=set)
    unbalanced: list[Case] = field(default_factory=list)

    def layer(self, name: str) -> int:
        """Duplicates of one layer."""
        return sum(count for (layer, *_), count in self.duplicates.items() if layer == name)

    def places(self, stage: str) -> Counter[Where]:
        return Counter({where: count for where, count in self.extras.items() if where.stage == stage})


def log_order(copy: Dumped) -> tuple[int, int, int, str, str, str]:
    return copy.timestamp, copy.partition, copy.offset, copy.cluster, copy.topic_id, copy.topic


def in_partition(copy: Dumped) -> tuple[int, int, str, str]:
    return copy.partition, copy.offset, copy.cluster, copy.topic_id


def place(stage: str, copy: Dumped) -> Where:
    return Where(stage, copy.topic, copy.partition, copy.offset, copy.cluster, copy.topic_id)
