from __future__ import annotations

from dupscope.audit.agents import FORGET_MS, MOST_AGENTS, Agents

MINUTE = 60_000
AFTER = 10 * MINUTE


def watched(agents: Agents, since: int, until: int) -> int:
    """How many were lost while everything was known, minute by minute."""
    return sum(agents.lost(moment) for moment in range(since, until + 1, MINUTE))


class TestAgents:
    def test_one_that_goes_silent_is_lost_once(self):
        agents = Agents(AFTER)
        agents.hear("a", (1000, 0), 1000, stopped=False)
        assert watched(agents, 1000, 1000 + AFTER) == 0
        assert agents.lost(1001 + AFTER) == 1
        assert watched(agents, 1000 + AFTER, 1000 + 3 * AFTER) == 0

    def test_one_that_comes_back_may_be_lost_again(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 0), 0, stopped=False)
        assert watched(agents, 0, AFTER + MINUTE) == 1
        agents.hear("a", (AFTER + MINUTE, 0), AFTER + MINUTE, stopped=False)
        assert watched(agents, AFTER + MINUTE, 2 * AFTER + MINUTE) == 0
        assert agents.lost(2 * AFTER + 2 * MINUTE) == 1

    def test_one_that_stopped_with_all_shipped_is_not_lost(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 5), 0, stopped=False)
        agents.hear("a", (10, 0), 10, stopped=True)
        assert watched(agents, 0, 5 * AFTER) == 0

    def test_one_that_stopped_with_something_left_is_lost_unless_it_comes_back(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 7), 0, stopped=True)
        agents.hear("b", (0, 7), 0, stopped=True)
        assert watched(agents, 0, AFTER) == 0
        agents.hear("b", (AFTER, 7), AFTER, stopped=False)
        assert agents.lost(AFTER + 1) == 1

    def test_nobody_is_lost_while_it_is_not_known_what_the_topic_holds(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 0), 0, stopped=False)
        assert agents.lost(None) == 0
        agents.lost(MINUTE)
        assert agents.lost(5 * AFTER) == 0, "after an outage it gets the whole time again"
        assert watched(agents, 5 * AFTER, 6 * AFTER) == 0
        assert agents.lost(6 * AFTER + 1) == 1

    def test_all_of_it_survives_a_restart(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 3), 0, stopped=False)
        watched(agents, 0, AFTER)
        again = Agents(AFTER)
        again.resume(agents.tree())
        assert again.lost(AFTER + 1) == 1
        third = Agents(AFTER)
        third.resume(again.tree())
        assert watched(third, AFTER + 1, 2 * AFTER) == 0

    def test_they_are_forgotten_in_the_end(self):
        agents = Agents(AFTER)
        agents.hear("a", (0, 0), 0, stopped=False)
        agents.lost(FORGET_MS)
        assert agents.tree()["agents"].keys() == {"a"}
        agents.lost(FORGET_MS + 1)
        assert agents.tree()["agents"] == {}

    def test_they_do_not_fill_the_memory(self):
        agents = Agents(AFTER)
        for number in range(MOST_AGENTS + 5):
            agents.hear(str(number), (number, 0), number, stopped=False)
        agents.lost(MOST_AGENTS)
        assert len(agents.tree()["agents"]) == MOST_AGENTS
        assert "0" not in agents.tree()["agents"]


class TestComplete:
    """All lines are known up to when each agent had last shipped all."""

    def test_without_agents_the_topic_tells(self):
        assert Agents(AFTER).complete(70) == 70
        assert Agents(AFTER).complete(None) is None

    def test_the_one_that_is_farthest_behind(self):
        agents = Agents(AFTER)
        agents.hear("a", (50, 0), 55, stopped=False)
        agents.hear("b", (60, 0), 65, stopped=False)
        assert agents.complete(70) == 50
        agents.hear("a", (66, 9), 67, stopped=False)
        assert agents.complete(70) == 50, "it has something that was not shipped"
        agents.hear("a", (68, 0), 69, stopped=True)
        assert agents.complete(70) == 60, "that one is gone, with all shipped"

    def test_not_known_before_an_agent_has_shipped_all(self):
        agents = Agents(AFTER)
        agents.hear("a", (50, 3), 55, stopped=False)
        assert agents.complete(70) is None

    def test_a_clock_that_is_ahead_counts_as_ours(self):
        agents = Agents(AFTER)
        agents.hear("a", (5000, 0), 55, stopped=False)
        assert agents.complete(70) == 55

    def test_one_that_is_lost_holds_nothing_up(self):
        agents = Agents(AFTER)
        agents.hear("a", (1000, 0), 1000, stopped=False)
        watched(agents, 1000, 1000 + AFTER + MINUTE)
        assert agents.complete(5 * AFTER) == 5 * AFTER

    def test_it_survives(self):
        agents, again = Agents(AFTER), Agents(AFTER)
        agents.hear("a", (50, 0), 55, stopped=False)
        again.resume(agents.tree())
        assert again.complete(70) == 50
