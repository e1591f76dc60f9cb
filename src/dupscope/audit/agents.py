"""The agents that ship lines to a topic: which of them fell silent with lines that nobody else has."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from dupscope.model.plain import Plain

MOST_AGENTS = 10_000
FORGET_MS = 7 * 24 * 3600 * 1000
UNWATCHED_MS = 60_000
"""Where nobody knew for so long what the topic holds, silence before tells nothing about an agent."""


@dataclass(slots=True)
class _Agent:
    """`complete_ms`: the last moment, by its own clock, at which it had shipped all."""

    heard_ms: int
    behind_bytes: int = 0
    is_lost: bool = False
    complete_ms: int = 0


class Agents:
    """By instance, when each was last heard of, in ms since 1970 by our clock, so that no other clock counts.

    An agent that stopped and had shipped all is forgotten. One that is silent for longer than `lost_after_ms`
    counts as lost, once; if it comes back, it may again.
    """

    def __init__(self, lost_after_ms: int) -> None:
        self._lost_after_ms = lost_after_ms
        self._agents: dict[str, _Agent] = {}
        self._watched_ms: tuple[int, int] | None = None
        """Since when, and until when, it is known without a break what the topic holds."""

    def hear(self, instance: str, status: tuple[int, int], now_ms: int, *, stopped: bool) -> None:
        """An agent is there, or stops. `status`: when it says so, and how many bytes it is behind."""
        at_ms, behind_bytes = status
        before = self._agents.pop(instance, None)
        complete_ms = min(at_ms, now_ms) if behind_bytes == 0 else before.complete_ms if before else 0
        if not stopped or behind_bytes > 0:
            self._agents[instance] = _Agent(now_ms, behind_bytes, complete_ms=complete_ms)

    def complete(self, complete_ms: int | None) -> int | None:
        """Up to when all lines are known, if those in the topic are up to `complete_ms`.

        Not later than when each agent had last shipped all. Those that are lost do not count any more.
        """
        if complete_ms is None:
            return None
        own = (agent.complete_ms for agent in self._agents.values() if not agent.is_lost)
        return min((complete_ms, *own)) or None

    def lost(self, complete_ms: int | None) -> int:
        """How many were lost since the last call; all that was written before `complete_ms` was heard."""
        if complete_ms is None:
            return 0
        since = self._watched_since(complete_ms)
        silent = [
            agent
            for agent in self._agents.values()
            if not agent.is_lost and complete_ms - max(agent.heard_ms, since) > self._lost_after_ms
        ]
        for agent in silent:
            agent.is_lost = True
        self._forget(complete_ms)
        return len(silent)

    def tree(self) -> Plain:
        """The state as plain values."""
        agents = {instance: list(astuple(agent)) for instance, agent in self._agents.items()}
        return {"agents": agents, "watched": list(self._watched_ms or ())}

    def resume(self, tree: dict[str, Any]) -> None:
        """Take up the state that a tree was made of."""
        self._agents = {instance: _Agent(*agent) for instance, agent in tree["agents"].items()}
        self._watched_ms = tuple(tree["watched"]) or None

    def _watched_since(self, complete_ms: int) -> int:
        since, until = self._watched_ms or (complete_ms, complete_ms)
        if complete_ms - until > UNWATCHED_MS:
            since = complete_ms
        self._watched_ms = since, max(complete_ms, until)
        return since

    def _forget(self, now_ms: int) -> None:
        """Lost ones after a while, and beyond `MOST_AGENTS` those that were heard of longest ago."""
        for instance, agent in list(self._agents.items()):
            if len(self._agents) <= MOST_AGENTS and agent.heard_ms >= now_ms - FORGET_MS:
                return
            del self._agents[instance]
