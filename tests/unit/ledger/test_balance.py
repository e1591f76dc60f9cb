from __future__ import annotations

from dupscope.ledger.balance import terms, unbalanced
from dupscope.model.finding import Reason
from unit.ledger.cases import Desk
from unit.ledger.world import Story


def all_three_layers() -> Story:
    story = Story()
    original = story.source()
    again = story.copied(story.source(at=1))
    for copy in (story.copied(original), story.copied(original), again, again):
        story.effect(copy)
    return story.settle()


class TestLine:
    def test_it_holds_every_term(self):
        (line,) = all_three_layers().lines
        assert len(line["source"]) == 2
        assert [copy["matched_by"] for copy in line["mirrors"]["dr"]["copies"]] == ["tag", "tag", None]
        assert (line["mirrors"]["dr"]["duplicates"], line["mirrors"]["dr"]["missing"]) == (1, 0)
        sink = line["sinks"]["charger"]
        assert {name: sink[name] for name in ("produce", "mirror", "missing", "absorbed", "consume")} == {
            "produce": 1,
            "mirror": 1,
            "missing": 0,
            "absorbed": 0,
            "consume": 1,
        }
        assert (sink["extra_effects"], sink["balanced"]) == (3, True)
        assert sink["origins"] == {"produce": 1, "mirror": 1, "consume": 1}

    def test_it_shows_no_key(self):
        assert "'p'" not in str(all_three_layers().lines)

    def test_a_copy_matched_by_count_says_so(self):
        story = Story()
        story.source()
        story.source(at=1)
        story.mirror(at=7, value="rewritten")
        story.settle()
        assert story.lines[0]["mirrors"]["dr"]["copies"][0]["matched_by"] == "count"


class TestUnbalanced:
    def judged(self) -> Desk:
        desk = Desk().source().mirror().mirror()
        desk.effect(desk.of(1)[0]).effect(desk.of(1)[1])
        desk.conclude()
        return desk

    def test_a_case_as_concluded_balances(self):
        desk = self.judged()
        assert not unbalanced(desk.case, desk.judge(), desk.view)

    def test_a_finding_that_was_never_reported_shows(self):
        desk = self.judged()
        desk.of(1)[1].reported = False
        assert unbalanced(desk.case, desk.judge(), desk.view)

    def test_an_extra_effect_without_origin_shows(self):
        desk = self.judged()
        desk.case.effects[1].origin = None
        assert unbalanced(desk.case, desk.judge(), desk.view)

    def test_it_says_nothing_where_something_is_unverified(self):
        desk = self.judged()
        desk.of(1)[1].unverified = Reason.OPEN_TRANSACTION
        verdict = desk.judge()
        assert terms(desk.case, 0, verdict.windows[0], desk.view).balanced is None
