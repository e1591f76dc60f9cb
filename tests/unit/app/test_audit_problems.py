from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dupscope.app.audit_problems import SAY_AGAIN_SECONDS, AuditProblems
from dupscope.model.batch import AuditRead, no_effects


@dataclass
class Logger:
    lines: list[dict[str, object]] = field(default_factory=list)

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append({"event": event, **fields})


@dataclass
class Said:
    """What was said, by a clock that a test moves."""

    now: float = 5.0

    def __post_init__(self) -> None:
        self.log = Logger()
        self.problems = AuditProblems(self.log, lambda: self.now)

    def read(self, lost: int = 0, **counts: int) -> list[dict[str, object]]:
        """One cycle's lines."""
        before = len(self.log.lines)
        places = {reason: f"{reason} at {self.now:.0f}" for reason in counts}
        read = AuditRead(no_effects(0), sum(counts.values()), Counter(counts), places, lost=lost)
        self.problems.note("p", "charger", read)
        self.problems.say()
        return self.log.lines[before:]


def line(reason: str, count: int, first: str) -> dict[str, object]:
    what = {"pipeline": "p", "stage": "charger", "reason": reason}
    return {"event": "audit_invalid", **what, "count": count, "first": first}


class TestAuditProblems:
    def test_each_reason_is_said_at_once_with_its_place(self):
        assert Said().read(not_json=2, lost_=1) == [
            line("not_json", 2, "not_json at 5"),
            line("lost_", 1, "lost_ at 5"),
        ]

    def test_then_once_in_a_while_with_what_came_in_between(self):
        said = Said()
        said.read(not_json=1)
        said.now += 1
        assert said.read(not_json=3) == []
        said.now += 1
        assert said.read(not_json=4) == []
        said.now += SAY_AGAIN_SECONDS
        assert said.read() == [line("not_json", 7, "not_json at 6")]
        said.now += SAY_AGAIN_SECONDS
        assert said.read() == []

    def test_the_rest_is_said_in_the_end(self):
        said = Said()
        said.read(oversize=1)
        said.read(oversize=1)
        said.problems.close()
        said.problems.close()
        assert said.log.lines == [line("oversize", 1, "oversize at 5")] * 2

    def test_lost_writers_are_said_each_time(self):
        said = Said()
        (told,) = said.read(lost=2)
        assert (told["event"], told["stage"], told["writers"]) == ("audit_lost", "charger", 2)
