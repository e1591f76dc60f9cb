from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dupscope.ledger.case import Effect
from dupscope.ledger.expected import Expected, differ
from dupscope.ledger.rows import LACKING, Rows
from dupscope.model.position import pack
from dupscope.model.replay import Replay
from dupscope.model.topology import Sink
from dupscope.store.frame import seal, unseal
from unit.ledger.world import CHAIN, EXPECTING, MARGIN, NOW, NUMBERS, SETTINGS, WINDOW, Story


def passed_over(story: Story, *keys: str, at: int = 0):
    """Records that were mirrored, and that the sink's group went past. The last one's copy."""
    copy = None
    for key in keys:
        copy = story.copied(story.source(key, at=at))
    story.commits(copy)
    story.settle_commits()
    return copy


@pytest.fixture(params=["rows", "cases"])
def story(request) -> Story:
    """With keys in the norm, and with such that left it: what holds is the same."""
    story = Story(EXPECTING)
    if request.param == "cases":
        usual = story.cycle

        def cycle(*read, **how):
            outcome = usual(*read, **how)
            take_up(story)
            return outcome

        story.cycle = cycle
    return story


def take_up(story: Story) -> None:
    """Every row of the norm becomes a case, which waits to be judged in the next cycle."""
    held = story.ledger.held
    slots = held.rows.live()
    slots = slots[held.rows.state[slots] == 0]
    for slot, low in zip(slots.tolist(), held.rows.fingerprints_low(slots).tolist(), strict=True):
        case = held.book.open(slot, (int(held.rows.fp_hi[slot]), low), story.number)
        story.ledger._unacted.add(case)


class TestMissing:
    def test_a_record_that_was_gone_past_without_an_effect(self, story):
        """Once, however often the group commits again; a record with an effect is not missing."""
        first = story.copied(story.source("acted"))
        story.effect(first)
        passed_over(story, "skipped")
        story.settle()
        passed_over(story, "later", at=1)
        story.effect(story.copied(story.source("last", at=2)))
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 2}, {})
        assert story.found == []

    def test_not_before_the_group_went_past(self, story):
        passed_over(story, "skipped")
        story.copied(story.source("next"))
        story.settle()
        assert story.missing == {"charger": 1}

    def test_not_before_the_audit_log_was_read_that_far(self, story):
        """The group has committed, but what the sink did until then is not known yet."""
        story.commits(story.copied(story.source("p")))
        story.settle()
        assert story.missing == {}
        story.settle_commits()
        story.settle()
        assert story.missing == {"charger": 1}

    def test_an_effect_that_came_after_all(self, story):
        copy = passed_over(story, "late")
        story.settle()
        story.effect(copy)
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 1}, {"charger": 1})
        assert story.found == []

    def test_a_second_effect_after_that_is_a_repeat(self, story):
        copy = passed_over(story, "late")
        story.settle()
        for at in (60, 70):
            story.effect(copy, at=at)
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 1}, {"charger": 1})
        assert story.found == ["charger dr[0]@0 #2"]

    def test_what_the_group_had_passed_before_it_was_watched(self, story):
        story.settled_from[0][NUMBERS] = 1
        passed_over(story, "before", "while")
        story.settle()
        assert story.missing == {"charger": 1}

    def test_a_copy_that_the_mirror_lost(self, story):
        """The sink cannot act on what it cannot read."""
        story.source("lost")
        passed_over(story, "later", at=1)
        story.settle()
        assert story.missing == {"charger": 1, "dr": 1}

    def test_a_copy_of_nothing(self, story):
        """A copy without a source copy is unverified, and no business fact."""
        story.commits(story.mirror("stranger"))
        story.settle_commits()
        story.settle()
        assert story.missing == {}
        assert story.unverified == {"dr not_in_source": 1}

    def test_one_effect_of_two_copies(self, story):
        """One effect per business fact is expected: the other copy was absorbed."""
        first = story.source("twice")
        copies = [story.copied(first), story.copied(story.source("twice", at=1))]
        story.effect(copies[0])
        story.commits(copies[1])
        story.settle_commits()
        story.settle()
        assert (story.missing, story.extra_copies) == ({}, {"charger": 1})

    def test_no_effect_of_two_copies(self, story):
        """Two copies of one business fact lack one effect; so do two that turn out to be one fact."""
        passed_over(story, "twice")
        story.settle()
        passed_over(story, "twice", at=WINDOW + 1)
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 2}, {})
        passed_over(story, "twice", at=WINDOW // 2)
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 2}, {"charger": 1})

    def test_a_record_that_was_sent_again_on_purpose(self, story):
        """What it repeats may be older than everything that is known, and the sink knows it."""
        again = story.source("redriven")
        story.redriven = {again}
        story.commits(story.copied(again))
        story.settle_commits()
        story.settle()
        assert story.missing == {}

    def test_a_declared_replay(self, story):
        story.replays = (Replay("source", NOW + 5, NOW + 6),)
        passed_over(story, "before", at=4)
        passed_over(story, "replayed", at=5)
        passed_over(story, "after", at=6)
        story.settle()
        assert story.missing == {"charger": 2}

    def test_a_log_that_loses_records_itself(self, story):
        """A compacted topic: the sink may never have seen the record."""
        story.truncated = frozenset({(1, "payments")})
        passed_over(story, "compacted")
        story.settle()
        assert story.missing == {}

    @pytest.mark.parametrize(("at", "missing"), [(WINDOW, {}), (WINDOW + 1, {"charger": 1})])
    def test_near_the_coverage_start(self, story, at, missing):
        """The sink may have acted on a copy that was never read."""
        story.covered_since = [NOW, NOW]
        passed_over(story, "early", at=at)
        story.settle()
        assert story.missing == missing

    def test_what_is_about_to_be_forgotten(self, story):
        """Effects of such a key are not taken in any more."""
        story.copied(story.source("old"))
        story.settle()
        story.clock += WINDOW + MARGIN + 20
        story.cycle()
        story.commits(story.copied(story.source("new", at=story.clock)))
        story.settle_commits()
        story.settle()
        assert story.missing == {"charger": 1}

    def test_an_effect_that_was_given_up(self, story):
        """There was one at this record or before it: no case with a copy up to there is judged."""
        copies = [story.copied(story.source(key)) for key in ("p", "q", "r")]
        lost = Effect(0, copies[1].packed, at=0, effect_id=0, cycle=1)
        story.ledger.held.expected.lose(lost)
        story.commits(copies[2])
        story.settle_commits()
        story.settle()
        assert story.missing == {"charger": 1}

    def test_an_effect_that_could_not_be_verified(self, story):
        """Somebody logged an effect of this key: it is not said that there was none."""
        copy = passed_over(story, "p")
        other = story.copied(story.source("other", at=1))
        story.effect(other)
        story.effect(other, key="p")
        story.settle()
        assert (copy.key, story.missing) == ("p", {})
        assert story.unverified == {"charger position_mismatch": 1}


class TestWaiting:
    def test_an_effect_whose_record_was_not_read_yet(self):
        """It acted on another copy than the one that its group went past."""
        story = Story(EXPECTING)
        passed_over(story, "p")
        story.cycle()
        again = story.mirror("p", partition=1)
        other = passed_over(story, "q", at=1)
        story.effect(again)
        story.effect(other)
        story.cycle("charger")
        assert story.missing == {"charger": 1}
        assert story.recovered == {}

    def test_while_it_waits(self):
        story = Story(EXPECTING)
        story.copied(story.source("p"))
        again = story.mirror("p", partition=1)
        story.cycle(between=again)
        story.effect(again)
        story.cycle("charger")
        story.commits(story.copied(story.source("q", at=1)))
        story.settle_commits()
        story.cycle("charger", "source")
        assert story.missing == {}
        story.settle()
        assert (story.missing, story.found) == ({"charger": 1}, ["dr[1]@0 identical"])


class TestRows:
    def test_it_stays_in_the_norm(self):
        """What is missing costs no case."""
        story = Story(EXPECTING)
        passed_over(story, "p")
        story.settle()
        assert not story.ledger.held.book.cases
        assert story.ledger.held.rows.read[0][:1].tolist() == [LACKING]

    def test_a_chain_that_is_not_read_whole(self):
        """A copy at its end has no lineage while one in between is not known."""
        story = Story(replace(CHAIN, sinks=(Sink("charger", (2,), expects=True),)))
        near = story.copied(story.source("p"))
        story.commits(story.copied(near))
        story.settle_commits()
        story.cycle("source", "far")
        assert story.missing == {}
        story.settle()
        assert story.missing == {"charger": 1}

    def test_a_sink_of_which_nothing_is_expected(self):
        story = Story()
        passed_over(story, "p")
        story.settle()
        assert story.missing == {}

    def test_after_a_restore(self):
        """What was counted is not counted again, and what comes after all is recovered."""
        story = Story(EXPECTING)
        copy = passed_over(story, "p", "q")
        story.settle()
        state = story.ledger.export(whole=True)
        again = Story(EXPECTING, SETTINGS)
        again.ledger.restore(state)
        story.ledger = again.ledger
        story.settle()
        story.effect(copy)
        story.settle()
        assert (story.missing, story.recovered) == ({"charger": 2}, {"charger": 1})


class TestLost:
    """Effects that were given up without their record: there may be one where none is known."""

    def test_by_position(self):
        """Up to there nothing is expected in that partition; elsewhere it is."""
        expected = Expected(EXPECTING, Rows(EXPECTING, 16))
        expected.lose(Effect(0, pack(1, 6), at=5, effect_id=0, cycle=1))
        expected.lose(Effect(0, pack(1, 2), at=5, effect_id=0, cycle=1))
        assert expected.lost(3)[0].tolist() == [0, 7, 0]
        assert expected.since_ms(0) == -1

    def test_by_time(self):
        """Without a position, nothing that is older than the effect is expected."""
        expected = Expected(EXPECTING, Rows(EXPECTING, 16))
        expected.lose(Effect(0, 0, at=9, effect_id=0, cycle=1))
        assert expected.since_ms(0) == 9
        assert expected.lost(2)[0].tolist() == [0, 0]

    def test_stored(self):
        expected = Expected(EXPECTING, Rows(EXPECTING, 16))
        expected.lose(Effect(0, pack(1, 6), at=5, effect_id=0, cycle=1))
        expected.lose(Effect(0, 0, at=9, effect_id=0, cycle=1))
        again = Expected(EXPECTING, Rows(EXPECTING, 16))
        again.restore(unseal(seal(expected.export(), "here"), "here"))
        assert again.lost(3)[0].tolist() == [0, 7, 0]
        assert again.since_ms(0) == 9

    @pytest.mark.parametrize("at", [0, 1])
    def test_an_effect_of_an_old_case_of_its_key(self, at):
        """Its record was not read before the case was forgotten: the record's own case is not judged."""
        story = Story(EXPECTING)
        story.effect(story.copied(story.source("p")))
        story.effect(story.copied(story.source("p", at=1)))
        story.settle()
        story.clock += 2 * WINDOW
        new = story.source("p", at=story.clock)
        copy = story.copied(new)
        if at:
            story.effect(copy)
        story.commits(story.copied(story.source("p", at=story.clock + 1)))
        story.cycle("charger")
        story.clock += MARGIN
        story.settle_commits()
        story.settle()
        assert story.missing == ({} if at else {"charger": 1})


class TestDiffer:
    def test_columns(self):
        one, other = np.array([1, 2]), np.array([1, 3])
        assert not differ((one,), (one.copy(),))
        assert differ((one,), (other,))
        assert differ((one,), ())
        assert differ((), (one,))
